/** Small journals in folders of their own, and the records to fill them with. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { decodeText, encodeText, storedTextOf, textRecord } from '../../src/journal/blob-record.ts';
import { journalFolder } from '../../src/journal/data-folders.ts';
import { type AppendRecord, encodedBytes, encodeRecord } from '../../src/journal/record.ts';
import type { RunKeys } from '../../src/journal/run-keys.ts';
import { segmentPath } from '../../src/journal/segment.ts';
import type { Sha256 } from '../../src/kernel/hash.ts';
import type { EventChain } from './event-chain.ts';

export const smallSegment = 64 * 1024;

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'openclaw-journal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export { EventChain, testRun } from './event-chain.ts';

export function encodeBatch(records: readonly AppendRecord[]): Buffer {
  const bytes = Buffer.alloc(records.reduce((sum, record) => sum + encodedBytes(record), 0));
  let end = 0;
  for (const record of records) end = encodeRecord(record, bytes, end);
  return bytes;
}

/** The content of a blob record. @param keys Of its run, where it has some. */
export function contentOf(record: AppendRecord, keys: RunKeys | null = null): Buffer {
  const text = storedTextOf(record);
  return decodeText(text, text.run === null ? null : (keys?.find(text.run) ?? null));
}

/** A record of a text of no run. */
export function plainText(hash: Sha256, content: Buffer, timeMs: number): AppendRecord {
  return textRecord({ ...encodeText(null, hash, content), name: hash }, timeMs);
}

/** A batch of `count` events with bodies of `bodyBytes`. */
export function eventBatch(source: EventChain, count: number, bodyBytes = 16): Buffer {
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
export function thrownBy(action: () => unknown): {
  code: string;
  details: Record<string, unknown>;
} {
  try {
    action();
  } catch (error) {
    return error as { code: string; details: Record<string, unknown> };
  }
  throw new Error('nothing was thrown');
}
