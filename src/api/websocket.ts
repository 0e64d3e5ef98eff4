/**
 * One run as a WebSocket: each durable event as one JSON message, then the
 * ended run, then close code 1000.
 *
 * The past is read by pages, at the pace at which the client takes them; the
 * live part is subscribed to in the same turn in which the last
 * page came back empty, so nothing can fall between the two.
 *
 * Invariants
 *   W1. Sequences leave in order, without a gap and without a repetition.
 *   W2. Unsent bytes are bounded. The past waits for the client whenever more
 *       than `backlogBufferBytesMax` are unsent. A client with more than
 *       limits.socketBufferBytesMax of live events unsent is closed with 1013
 *       and may come back with `from`. Either is exceeded by one message at most.
 *   W3. Tokens are ephemeral: they are dropped for a client that lags.
 *   W4. A closed socket leaves no subscription behind, and nobody waits for the
 *       end of the run in its name.
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
const backlogBufferBytesMax = 1024 * 1024;
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
    this.#awaitEnd();
  }

  #awaitEnd(): void {
    const waiting = new AbortController();
    this.#releases.push(() => waiting.abort()); // (W4)
    this.#runtime.ended(this.#options.id, waiting.signal).then(
      (run) => {
        this.#ended = run;
        this.#endIfComplete();
      },
      (error: unknown) => {
        if (!waiting.signal.aborted) this.#fail(error);
      },
    );
  }

  async #sendBacklog(): Promise<void> {
    while (this.#isOpen()) {
      const page = this.#runtime.events(this.#options.id, { from: this.#next, limit: backlogPage });
      if (page.length === 0) return;
      await this.#sendPage(page);
    }
  }

  /** Also waits for the client at the end of the page, so that others get their turn. */
  async #sendPage(page: readonly EventView[]): Promise<void> {
    for (const [index, event] of page.entries()) {
      if (!this.#isOpen()) return;
      const drained = this.#sendEvent(event);
      const isFull = this.#socket.bufferedAmount > backlogBufferBytesMax; // (W2)
      if (isFull || index === page.length - 1) await drained;
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
    void this.#sendEvent(event);
    if (this.#socket.bufferedAmount > limits.socketBufferBytesMax) {
      this.#close(closeCode.slow, `too slow; come back with from=${this.#next}`); // (W2)
      return;
    }
    this.#endIfComplete();
  }

  #onToken(token: TokenView): void {
    if (!this.#isOpen() || token.run !== this.#options.id) return;
    if (this.#socket.bufferedAmount > tokenBufferBytesMax) return; // (W3)
    void this.#send({ type: 'token', ...token });
  }

  #endIfComplete(): void {
    const run = this.#ended;
    if (run === null || !this.#live || !this.#isOpen() || this.#next <= run.events) return;
    void this.#send({ type: 'end', run });
    this.#close(closeCode.ended, 'the run has ended');
  }

  #sendEvent(event: EventView): Promise<void> {
    const { id } = this.#options;
    assert(event.sequence === this.#next, `the events of ${id} have a gap at ${this.#next}`); // (W1)
    this.#next += 1;
    return this.#send({ type: 'event', event });
  }

  /** Resolves when no byte of the message is unsent, or none ever will be sent. */
  #send(message: StreamMessage): Promise<void> {
    // A send that fails means a closing socket, and that has its own listener.
    return new Promise((resolve) => this.#socket.send(JSON.stringify(message), () => resolve()));
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
