import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { ServerClient } from '../../src/cli/server-client.ts';

/** A server that answers each connection by the next script, and keeps their addresses. */
async function serve(scripts: readonly ((send: (message: unknown) => void) => number)[]) {
  const addresses: string[] = [];
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket, request) => {
    addresses.push(request.url ?? '');
    const script = scripts[addresses.length - 1];
    const code = script?.((message) => socket.send(JSON.stringify(message))) ?? 1011;
    socket.close(code);
  });
  await new Promise((settle) => server.once('listening', settle));
  const { port } = server.address() as AddressInfo;
  return {
    client: new ServerClient(`http://127.0.0.1:${port}`),
    addresses,
    close: () => new Promise((settle) => server.close(settle)),
  };
}

function event(sequence: number): unknown {
  return { type: 'event', event: { sequence } };
}

test('a stream closed for slowness is taken up again where it was left', async () => {
  const server = await serve([
    (send) => {
      send(event(1));
      send(event(2));
      return 1013;
    },
    (send) => {
      send(event(3));
      send({ type: 'end', run: { id: 'r' } });
      return 1000;
    },
  ]);
  const seen: number[] = [];
  const run = await server.client.follow('r', ({ sequence }) => seen.push(sequence));
  expect(run).toEqual({ id: 'r' });
  expect(seen).toEqual([1, 2, 3]);
  expect(server.addresses).toEqual(['/v1/runs/r/events?from=1', '/v1/runs/r/events?from=3']);
  await server.close();
});

test('a stream that closes without the end of the run is an error', async () => {
  const server = await serve([() => 1000]);
  await expect(server.client.follow('r', () => undefined)).rejects.toMatchObject({
    code: 'SERVER_UNREACHABLE',
  });
  await server.close();
});
