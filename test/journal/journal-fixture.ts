/** Small journals in folders of their own, and the records to fill them with. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { segmentPath } from '../../src/journal/segment.ts';
import { journalFolder } from '../../src/journal/data-folders.ts';
import {
  type AppendRecord,
  encodedBytes,
  encodeRecord,
  recordDigest,
} from '../../src/journal/record.ts';
import { actorId, type RunId, runId } from '../../src/kernel/ids.ts';

export const smallSegment = 64 * 1024;

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'openclaw-journal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const testRun: RunId = runId('019a0000-0000-7000-8000-000000000001');

/** Makes the chained events of one actor. */
export class EventSource {
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

export function encodeBatch(records: readonly AppendRecord[]): Buffer {
  const bytes = Buffer.alloc(records.reduce((sum, record) => sum + encodedBytes(record), 0));
  let end = 0;
  for (const record of records) end = encodeRecord(record, bytes, end);
  return bytes;
}

/** A batch of `count` events with bodies of `bodyBytes`. */
export function eventBatch(source: EventSource, count: number, bodyBytes = 16): Buffer {
  return encodeBatch(
    Array.from({ length: count }, (_, index) =>
      source.next(`{"n":${index},"x":"${'x'.repeat(bodyBytes)}"}`),
    ),
  );
}

export function segmentBytesOf(dataDirectory: string, number: number): Buffer {
  return readFileSync(segmentPath(journalFolder(dataDirectory), number));
}

export function writeSegment(dataDirectory: string, number: number, bytes: Buffer): void {
  writeFileSync(segmentPath(journalFolder(dataDirectory), number), bytes);
}

/** The error that `action` throws, so that its code and details can be looked at. */
export function thrownBy(action: () => unknown): { code: string; details: Record<string, unknown> } {
  try {
    action();
  } catch (error) {
    return error as { code: string; details: Record<string, unknown> };
  }
  throw new Error('nothing was thrown');
}
