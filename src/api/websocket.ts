/**
 * One run as a WebSocket: each durable event as one JSON message, then the
 * ended run, then close code 1000.
 *
 * The past is read by pages, each only after the client has taken the one
 * before it; the live part is subscribed to in the same turn in which the last
 * page came back empty, so nothing can fall between the two.
 *
 * Invariants
 *   W1. Sequences leave in order, without a gap and without a repetition.
 *   W2. Unsent bytes never exceed limits.socketBufferBytesMax by more than one
 *       message: the client is closed with 1013 and may come back with `from`.
 *   W3. Tokens are ephemeral: they are dropped for a client that lags.
 *   W4. A closed socket leaves no subscription behind.
 */
import type { WebSocket } from 'ws';
import { assert } from '../kernel/assert.ts';
import { toErrorMessage } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { EventView, RuntimePort, RunView, TokenView } from '../runtime/views.ts';

/** Everything that the stream can carry. */
export type StreamMessage =
  | { readonly type: 'event'; readonly event: EventView }
  | ({ readonly type: 'token' } & TokenView)
  | { readonly type: 'end'; readonly run: RunView };

interface StreamOptions {
  readonly id: string;
  /** First sequence that the client wants, from 1. */
  readonly from: number;
  readonly tokens: boolean;
}

const backlogPage = 100;
const tokenBufferBytesMax = 64 * 1024;
const closeCode = { ended: 1000, failed: 1011, slow: 1013 } as const;

/** Serves the socket until it closes. The run exists. */
export function streamRun(socket: WebSocket, runtime: RuntimePort, options: StreamOptions): void {
  new RunStream(socket, runtime, options).start();
}

class RunStream {
  readonly #socket: WebSocket;
  readonly #runtime: RuntimePort;
  readonly #options: StreamOptions;
  #next: number;
  #ended: RunView | null = null;
  #live = false;
  #releases: (() => void)[] = [];

  constructor(socket: WebSocket, runtime: RuntimePort, options: StreamOptions) {
    this.#socket = socket;
    this.#runtime = runtime;
    this.#options = options;
    this.#next = options.from;
  }

  start(): void {
    this.#socket.once('close', () => this.#release());
    // A broken connection closes the socket; there is nobody left to tell.
    this.#socket.on('error', () => this.#socket.terminate());
    if (this.#options.tokens) {
      this.#releases.push(this.#runtime.onToken((token) => this.#onToken(token)));
    }
    this.#sendBacklog()
      .then(() => this.#followLive())
      .catch((error: unknown) => this.#fail(error));
    this.#runtime.ended(this.#options.id).then(
      (run) => {
        this.#ended = run;
        this.#endIfComplete();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  async #sendBacklog(): Promise<void> {
    while (this.#isOpen()) {
      const page = this.#runtime.events(this.#options.id, { from: this.#next, limit: backlogPage });
      if (page.length === 0) return;
      for (const event of page.slice(0, -1)) this.#sendEvent(event);
      const last = page.at(-1);
      assert(last !== undefined, 'the page has a last event');
      await this.#sendEventAndDrain(last);
    }
  }

  /** Runs in the turn in which the last page was empty (W1). */
  #followLive(): void {
    if (!this.#isOpen()) return;
    const { id } = this.#options;
    const stop = this.#runtime.subscribe(id, this.#next, (event) => this.#onEvent(event));
    this.#releases.push(stop);
    this.#live = true;
    // The listener may have run, and closed a slow socket, before `stop` was known (W4).
    if (!this.#isOpen()) this.#release();
    this.#endIfComplete();
  }

  #onEvent(event: EventView): void {
    if (!this.#isOpen()) return;
    this.#sendEvent(event);
    if (this.#socket.bufferedAmount > limits.socketBufferBytesMax) {
      this.#close(closeCode.slow, `too slow; come back with from=${this.#next}`); // (W2)
      return;
    }
    this.#endIfComplete();
  }

  #onToken(token: TokenView): void {
    if (!this.#isOpen() || token.run !== this.#options.id) return;
    if (this.#socket.bufferedAmount > tokenBufferBytesMax) return; // (W3)
    this.#send({ type: 'token', ...token });
  }

  #endIfComplete(): void {
    const run = this.#ended;
    if (run === null || !this.#live || !this.#isOpen() || this.#next <= run.events) return;
    this.#send({ type: 'end', run });
    this.#close(closeCode.ended, 'the run has ended');
  }

  #sendEvent(event: EventView): void {
    this.#advance(event);
    this.#send({ type: 'event', event });
  }

  #sendEventAndDrain(event: EventView): Promise<void> {
    this.#advance(event);
    const text = JSON.stringify({ type: 'event', event } satisfies StreamMessage);
    // A send that fails means a closing socket, which ends the loop.
    return new Promise((resolve) => this.#socket.send(text, () => resolve()));
  }

  #advance(event: EventView): void {
    const { id } = this.#options;
    assert(event.sequence === this.#next, `the events of ${id} have a gap at ${this.#next}`); // (W1)
    this.#next += 1;
  }

  #send(message: StreamMessage): void {
    this.#socket.send(JSON.stringify(message), () => undefined);
  }

  #fail(error: unknown): void {
    this.#close(closeCode.failed, toErrorMessage(error).code);
  }

  #close(code: number, reason: string): void {
    this.#release();
    this.#socket.close(code, reason);
  }

  #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** (W4) */
  #release(): void {
    for (const release of this.#releases.splice(0)) release();
  }
}
