/**
 * How the loops of the benchmark wait. A receiver that gets nothing for a long
 * time fails instead of hanging for ever: the thread on the other side may
 * have ended with an error that a standing loop never hears.
 */
const naps = new Int32Array(new SharedArrayBuffer(4));
const napMs = 0.05;
const silenceMsMax = 30_000;
/** Looks at an empty ring before the thread gives its processor up. */
const spins = 200;

/** Lets another thread have the processor while a ring is full. */
export function giveWay(): void {
  Atomics.wait(naps, 0, 0, napMs);
}

/** Waits by looking again, and after a while by short naps: for rings without a wake-up of their own. */
export class SpinThenNap {
  #looks = 0;

  /** Call when a look found nothing. */
  idle(): void {
    this.#looks += 1;
    if (this.#looks < spins) Atomics.pause();
    else giveWay();
  }

  /** Call when a look found something. */
  busy(): void {
    this.#looks = 0;
  }
}

/**
 * Calls `drain`, which returns how many messages it took, until `messages`
 * were taken, and `idle` whenever it took none.
 * @throws Error when nothing comes for half a minute.
 */
export function drainAll(messages: number, drain: () => number, idle: () => void): void {
  let silentSinceMs = performance.now();
  for (let received = 0; received < messages; ) {
    const taken = drain();
    received += taken;
    if (taken > 0) {
      silentSinceMs = 0;
      continue;
    }
    if (silentSinceMs === 0) silentSinceMs = performance.now();
    if (performance.now() - silentSinceMs > silenceMsMax) {
      throw new Error(`only ${received} of ${messages} messages arrived`);
    }
    idle();
  }
}
