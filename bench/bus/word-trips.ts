/**
 * Limits of a round trip between two workers over a shared word, without any
 * message: both spin, or both stand in `Atomics.wait`.
 */
export interface WordTripTask {
  readonly type: 'trip-over-words';
  readonly role: 'ask' | 'answer';
  readonly waiting: 'spin' | 'wait';
  readonly trips: number;
  /** Two words on cache lines of their own. */
  readonly memory: SharedArrayBuffer;
}

const askWord = 0;
const answerWord = 32;

export function allocateTripWords(): SharedArrayBuffer {
  return new SharedArrayBuffer(256);
}

/** Both sides; the asking one returns the time of each trip in µs. */
export function tripOverWords(task: WordTripTask): number[] {
  const words = new Int32Array(task.memory);
  const awaitValue = task.waiting === 'spin' ? spinFor : waitFor;
  const times: number[] = [];
  for (let trip = 1; trip <= task.trips; trip += 1) {
    if (task.role === 'answer') {
      awaitValue(words, askWord, trip);
      set(words, answerWord, trip, task.waiting);
      continue;
    }
    const startedMs = performance.now();
    set(words, askWord, trip, task.waiting);
    awaitValue(words, answerWord, trip);
    times.push((performance.now() - startedMs) * 1_000);
  }
  return times;
}

function set(words: Int32Array, word: number, value: number, waiting: 'spin' | 'wait'): void {
  Atomics.store(words, word, value);
  if (waiting === 'wait') Atomics.notify(words, word, 1);
}

function spinFor(words: Int32Array, word: number, value: number): void {
  while (Atomics.load(words, word) !== value) Atomics.pause();
}

function waitFor(words: Int32Array, word: number, value: number): void {
  // A trip ago the word held the number before.
  while (Atomics.load(words, word) !== value) Atomics.wait(words, word, value - 1);
}
