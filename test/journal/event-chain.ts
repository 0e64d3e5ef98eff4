import { type AppendRecord, recordDigest } from '../../src/journal/record.ts';
import { actorId, type RunId, runId } from '../../src/kernel/ids.ts';

export const testRun: RunId = runId('019a0000-0000-7000-8000-000000000001');

/** Makes the chained events of one actor. */
export class EventChain {
  readonly #actor: string;
  readonly #run: RunId;
  #sequence = 0;
  #previous: Buffer | null = null;

  constructor(actor = 'run/a', run: RunId = testRun) {
    this.#actor = actor;
    this.#run = run;
  }

  next(body: string | Buffer = '{}', epoch = 1): AppendRecord {
    this.#sequence += 1;
    const record: AppendRecord = {
      type: 'event',
      run: this.#run,
      actor: actorId(this.#actor),
      actorSequence: this.#sequence,
      epoch,
      cause: { actor: actorId('run'), sequence: this.#sequence, index: 0 },
      timeMs: 1_000 + this.#sequence,
      previousDigest: this.#previous,
      body: Buffer.from(body),
    };
    this.#previous = recordDigest(record);
    return record;
  }
}
