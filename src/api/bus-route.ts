/** What the bus is doing: depths, rates, refusals and latencies, of the last second or two. */
import type { FastifyInstance } from 'fastify';
import type { RuntimePort } from '../runtime/views.ts';

export function addBusRoute(app: FastifyInstance, runtime: RuntimePort): void {
  app.get('/v1/bus', async () => runtime.bus());
}
