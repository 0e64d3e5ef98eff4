/**
 * The events of a run, by pages or, at the same address, as a live stream.
 * Both follow the journal: the API keeps no copy of any event.
 */
import type { FastifyInstance } from 'fastify';
import type { EventView, RuntimePort } from '../runtime/views.ts';
import {
  eventsQuerySchema,
  parseRequest,
  runParametersSchema,
  streamQuerySchema,
} from './request.ts';
import { streamRun } from './websocket.ts';

interface EventsPage {
  readonly events: readonly EventView[];
  /**
   * Where the next page begins. Null once the run has ended and the page
   * reaches its last event; while the run goes on, asking again may give more.
   */
  readonly next: number | null;
}

function eventsPage(
  runtime: RuntimePort,
  id: string,
  range: { from: number; limit: number },
): EventsPage {
  const events = runtime.events(id, range);
  const run = runtime.run(id);
  const next = (events.at(-1)?.sequence ?? range.from - 1) + 1;
  const complete = run.status !== 'running' && run.status !== 'suspended' && next > run.events;
  return { events, next: complete ? null : next };
}

export function addEventRoutes(app: FastifyInstance, runtime: RuntimePort): void {
  app.route({
    method: 'GET',
    url: '/v1/runs/:id/events',
    // An unknown run or a bad parameter is an HTTP answer, before any upgrade.
    preValidation: async (request) => {
      const { id } = parseRequest(runParametersSchema, request.params, 'The address');
      if (request.headers.upgrade !== undefined) {
        parseRequest(streamQuerySchema, request.query, 'The query');
      }
      runtime.run(id);
    },
    handler: async (request) => {
      const { id } = parseRequest(runParametersSchema, request.params, 'The address');
      return eventsPage(runtime, id, parseRequest(eventsQuerySchema, request.query, 'The query'));
    },
    wsHandler: (socket, request) => {
      const { id } = parseRequest(runParametersSchema, request.params, 'The address');
      const { from, tokens } = parseRequest(streamQuerySchema, request.query, 'The query');
      streamRun(socket, runtime, { id, from, tokens: tokens === '1' });
    },
  });
}
