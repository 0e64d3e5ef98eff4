/** What every contender of the journal benchmark stores and finds again. */
import {
  type AppendRecord,
  digestAt,
  encodedBytes,
  encodeRecord,
} from '../../src/journal/record.ts';
import { assert } from '../../src/kernel/assert.ts';
import { actorId, newRunId, type RunId, runIdBytes } from '../../src/kernel/ids.ts';

const bodyBytes = 512;
export const run: RunId = newRunId();
export const actor = actorId('run/item-1/triage');
/** Run, actor, sequence and time of an event, for stores that know only values. */
const headBytes = 16 + actor.length + 16;

/** Bodies that differ, made before the clock runs; of 512 bytes unless said. */
export function bodies(count: number, bytes = bodyBytes): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.alloc(bytes, `{"event":${index}}`));
}

/** An event as one value: its head and its body. */
export function eventValue(sequence: number, body: Buffer): Buffer {
  const value = Buffer.allocUnsafe(headBytes + bodyBytes);
  runIdBytes(run).copy(value, 0);
  value.write(actor, 16, 'latin1');
  value.writeDoubleLE(sequence, headBytes - 16);
  value.writeDoubleLE(sequence, headBytes - 8);
  body.copy(value, headBytes);
  return value;
}

/** What was found, to be compared with what was stored. */
export class Tally {
  #count = 0;
  #sum = 0;

  /** Takes the next event; its sequence has to be the next one, too. */
  add(sequence: number, body: Uint8Array, start = 0): void {
    this.#count += sequence === this.#count + 1 ? 1 : 0;
    const last = body[start + bodyBytes - 1] ?? 0;
    this.#sum = (this.#sum * 31 + (body[start + 9] ?? 0) + last) >>> 0;
  }

  addValue(value: Uint8Array): void {
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    assert(value.length === headBytes + bodyBytes, 'a value is one that was stored');
    this.add(view.getFloat64(headBytes - 16, true), value, headBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** @throws AssertionError when other events were found. */
  require(content: readonly Buffer[]): void {
    const expected = new Tally();
    for (const [index, body] of content.entries()) expected.add(index + 1, body);
    assert(
      this.#count === expected.#count && this.#sum === expected.#sum,
      'a store holds what was written',
    );
  }
}

/** One encoded batch for each event, chained as the events of one actor. */
export function* encodedEvents(content: Iterable<Buffer>): Generator<Buffer> {
  let previousDigest: Buffer | null = null;
  let actorSequence = 0;
  for (const body of content) {
    actorSequence += 1;
    const record: AppendRecord = {
      type: 'event',
      run,
      actor,
      actorSequence,
      epoch: 1,
      cause: null,
      timeMs: actorSequence,
      previousDigest,
      body,
    };
    const bytes = Buffer.allocUnsafe(encodedBytes(record));
    encodeRecord(record, bytes, 0);
    previousDigest = digestAt(bytes, 0);
    yield bytes;
  }
}
