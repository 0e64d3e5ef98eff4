/**
 * The beginning of a journal that was dropped, and what is left of it: a file
 * beside the segments that says where the journal begins now, which segments
 * are gone, and what every run in them had come to.
 *
 * Each line is a digest, a blank and JSON. The digest is SHA-256 of the digest
 * before it (64 zeros for the first line) and the JSON, as text, so a line can
 * neither be changed nor left out.
 *
 * Invariants
 *   D1. The file appears with its whole content, and durably, before any segment
 *       is removed. From then on the segments that it names are nothing, whether
 *       they are still there or not; the next start removes what a crash has left.
 *   D2. The segment behind them continues the seal and the sequence of the last
 *       line. One that is missing without being named is damage.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { FilePort } from './file-port.ts';
import { listSegmentFiles, segmentPath } from './segment.ts';
import { replaceFile, tryReadFile } from './whole-file.ts';

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();

const compactionSchema = z.object({
  atMs: count,
  /** The last segment that was dropped. */
  through: count,
  lastSequence: count,
  seal: hex,
  segments: z.array(z.object({ number: count, bytes: count, sha256: hex })),
  runs: z.array(
    z.object({
      id: z.string().transform((id) => id as RunId),
      events: count,
      stateHash: hex,
      resultHash: z.string().nullable(),
      view: z.record(z.string(), z.json()).transform((view) => view as JsonObject),
    }),
  ),
});

/** What one compaction has dropped. `lastSequence` and `seal` are those before what is left. */
export type Compaction = z.output<typeof compactionSchema>;

/** A run of which no event is left, and what its full replay found equal. */
export type CompactedRun = Compaction['runs'][number];

const genesis = '0'.repeat(64);

const compactionsFile = 'compactions';

function compactionsPath(folder: string): string {
  return join(folder, compactionsFile);
}

/**
 * Oldest first.
 * @param folder The folder of the segments.
 * @throws RuntimeError JOURNAL_CORRUPT when the file is there and is not what was written.
 */
export function readCompactions(files: FilePort, folder: string): readonly Compaction[] {
  const text = tryReadFile(files, compactionsPath(folder))?.toString('utf8') ?? null;
  if (text === null) return [];
  const compactions: Compaction[] = [];
  let previous = genesis;
  for (const line of text.split('\n').slice(0, -1)) {
    const [digest, json] = [line.slice(0, genesis.length), line.slice(genesis.length + 1)];
    if (digest !== digestOf(previous, json)) throw damaged(folder);
    compactions.push(parsed(folder, json));
    previous = digest;
  }
  const last = compactions.at(-1);
  if (last === undefined || !text.endsWith('\n')) throw damaged(folder);
  return compactions;
}

/**
 * Adds a line (D1).
 * @throws RuntimeError COMPACTION_REFUSED above `limits.compactionsBytesMax`; Error of the port.
 */
export function addCompaction(files: FilePort, folder: string, compaction: Compaction): void {
  readCompactions(files, folder);
  const before = tryReadFile(files, compactionsPath(folder))?.toString('utf8') ?? '';
  const last = before.split('\n').at(-2)?.slice(0, genesis.length) ?? genesis;
  const json = JSON.stringify(compaction);
  const bytes = Buffer.from(`${before}${digestOf(last, json)} ${json}\n`);
  if (bytes.length > limits.compactionsBytesMax) {
    throw new RuntimeError(
      'COMPACTION_REFUSED',
      `What is kept of the dropped runs would take ${bytes.length} bytes, more than ${limits.compactionsBytesMax}; begin a new data directory.`,
    );
  }
  replaceFile(files, folder, compactionsFile, bytes);
}

/** Numbers of the segments of the journal, ascending: of those in the folder, without the dropped (D1). */
export function listSegments(files: FilePort, folder: string): number[] {
  const through = readCompactions(files, folder).at(-1)?.through ?? 0;
  return listSegmentFiles(files, folder).filter((number) => number > through);
}

/** Removes the segments that were dropped and are still there (D1). */
export function removeDropped(files: FilePort, folder: string): void {
  const through = readCompactions(files, folder).at(-1)?.through ?? 0;
  const dropped = listSegmentFiles(files, folder).filter((number) => number <= through);
  for (const number of dropped) files.unlink(segmentPath(folder, number));
  if (dropped.length > 0) files.syncFolder(folder);
}

function digestOf(previous: string, json: string): string {
  return createHash('sha256').update(previous).update(json).digest('hex');
}

function parsed(folder: string, json: string): Compaction {
  try {
    return compactionSchema.parse(JSON.parse(json));
  } catch {
    throw damaged(folder);
  }
}

function damaged(folder: string): RuntimeError {
  return new RuntimeError(
    'JOURNAL_CORRUPT',
    `${compactionsPath(folder)} is damaged; restore it from a copy of the data directory.`,
  );
}
