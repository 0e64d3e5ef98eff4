/**
 * A witness over HTTP (C2SP tlog-witness): POST /add-checkpoint, on loopback or a
 * Unix socket. GET /witness.pub answers its public key.
 *
 * Invariants
 *   S1. It listens to this host alone.
 *   S2. It reads no more of a request than a request can have.
 */
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { formatSignature } from '../identity/signed-note.ts';
import type { Witness } from '../identity/witness.ts';
import { parseWitnessRequest } from '../identity/witness-request.ts';
import { systemClock } from '../kernel/clock.ts';
import { errorCatalogue, RuntimeError, toErrorMessage } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

export interface WitnessServer {
  /** `http://127.0.0.1:7421`, or the path of the socket. */
  readonly address: string;
  close(): Promise<void>;
}

export type WitnessPlace = { readonly port: number } | { readonly socket: string };

/** @throws RuntimeError PORT_IN_USE */
export async function serveWitness(witness: Witness, place: WitnessPlace): Promise<WitnessServer> {
  const server = createServer({ requestTimeout: limits.witnessMsMax }, (request, response) => {
    answer(witness, request, response).catch(() => response.destroy());
  });
  if ('socket' in place) await freeSocket(place.socket);
  await listen(server, place);
  const bound = server.address();
  const address =
    typeof bound === 'object' && bound !== null ? `http://127.0.0.1:${bound.port}` : String(bound);
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  witness: Witness,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const say = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
    response.writeHead(status, { 'content-type': type, connection: 'close' }).end(text);
  };
  if (request.method === 'GET' && request.url === '/witness.pub') {
    return say(200, `${witness.verifier.text}\n`);
  }
  if (request.method !== 'POST' || request.url !== '/add-checkpoint') {
    return say(404, 'POST /add-checkpoint is what a witness takes.\n');
  }
  const body = await read(request);
  if (body === null) return say(413, 'The request is too long.\n');
  try {
    const nowSeconds = Math.floor(systemClock.nowMs() / 1_000);
    const { signature } = witness.cosign(parseWitnessRequest(body), nowSeconds);
    say(200, `${formatSignature(signature)}\n`);
  } catch (error) {
    const { code, message } = toErrorMessage(error);
    const size = error instanceof RuntimeError ? error.details.size : undefined;
    if (code === 'WITNESS_CONFLICT' && typeof size === 'number') {
      say(409, `${size}\n`, 'text/x.tlog.size');
    } else {
      // A fault inside is told to nobody but its owner.
      say(errorCatalogue[code].http, code === 'INTERNAL' ? 'A fault inside.\n' : `${message}\n`);
    }
  }
}

/** (S2) */
async function read(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.auditNoteBytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** (S1) */
function listen(server: Server, place: WitnessPlace): Promise<void> {
  const target =
    'socket' in place ? { path: place.socket } : { host: '127.0.0.1', port: place.port };
  const named = 'socket' in place ? place.socket : `port ${place.port}`;
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `A witness cannot listen at ${named} (${cause.message}); choose another place.`;
      reject(new RuntimeError('PORT_IN_USE', message, { cause }));
    });
    server.listen(target, resolve);
  });
}

/** A socket that a killed witness left is nobody's; that of a living one stays. */
function freeSocket(path: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') rmSync(path, { force: true });
      resolve();
    });
  });
}
