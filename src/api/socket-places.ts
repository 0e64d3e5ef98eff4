/**
 * How many WebSockets there are, in all and of one client, and that one ends
 * when its token does.
 *
 * Invariants
 *   P1. A place is taken before the upgrade and given back when the connection
 *       closes, whether it became a WebSocket or not.
 *   P2. A WebSocket whose token was removed, has expired or has lost its role is
 *       closed with 1008 within limits.socketRightsMs.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { WebSocket } from 'ws';
import { limits } from '../kernel/limits.ts';

const policyViolation = 1008;

interface Place {
  readonly client: string;
  readonly mayStay: () => boolean;
}

export class SocketPlaces {
  readonly #places = new Map<Duplex, Place>();
  readonly #open = new Map<WebSocket, Place>();

  constructor(app: FastifyInstance) {
    app.websocketServer.on('connection', (socket: WebSocket, { socket: raw }: IncomingMessage) => {
      const place = this.#places.get(raw);
      if (place === undefined) return;
      this.#open.set(socket, place);
      socket.once('close', () => this.#open.delete(socket));
    });
    const timer = setInterval(() => this.#closeRevoked(), limits.socketRightsMs).unref();
    app.addHook('onClose', async () => clearInterval(timer));
  }

  /** False where the client, or all together, have as many as they may. */
  tryTake(raw: Duplex, place: Place): boolean {
    if (this.#places.has(raw)) return true;
    if (this.#places.size >= limits.apiSocketsMax) return false;
    let own = 0;
    for (const { client } of this.#places.values()) if (client === place.client) own += 1;
    if (own >= limits.apiSocketsPerClientMax) return false;
    this.#places.set(raw, place);
    raw.once('close', () => this.#places.delete(raw)); // (P1)
    return true;
  }

  /** (P2) */
  #closeRevoked(): void {
    for (const [socket, { mayStay }] of this.#open) {
      if (!mayStay()) socket.close(policyViolation, 'the access token is no longer valid');
    }
  }
}
