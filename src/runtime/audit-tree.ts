/**
 * Brings the leaves of the audit up to the journal: adds the leaves of the
 * records that came since, and carries the frontier on.
 *
 * Invariants
 *   U1. What is known is compared: leaves with the newest checkpoint's root, and
 *       records that are read again with their leaves. A difference is an error,
 *       and nothing is signed.
 *   U2. The cost is that of the new records and of one segment, when the caller
 *       has the frontier; without it, that of all leaves once.
 *   U3. Only durable records have leaves.
 */
import { closeSync, fdatasyncSync, openSync } from 'node:fs';
import { listSegments } from '../journal/compaction.ts';
import { journalFolder } from '../journal/data-folders.ts';
import { nodeFilePort } from '../journal/file-port.ts';
import type { LeafFile } from '../journal/leaf-file.ts';
import { Frontier, type FrontierState } from '../journal/merkle-tree.ts';
import type { JournalPosition, StoredRecord } from '../journal/record.ts';
import { lostLeaf, recordLeaf } from '../journal/record-leaf.ts';
import { scanGroups } from '../journal/record-scan.ts';
import { segmentPath } from '../journal/segment.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

/** A root that the leaves must have at some size (U1). */
export interface KnownRoot {
  readonly size: number;
  readonly root: Buffer;
}

export interface TreeRequest {
  readonly dataDirectory: string;
  /** End of a durable group; without it the journal is read to its last seal, and that is synced (U3). */
  readonly until?: JournalPosition | undefined;
  /** From the last call, if there was one (U2). */
  readonly frontier: FrontierState | null;
  /** The newest checkpoint, if there is one. */
  readonly known: KnownRoot | null;
}

export interface Tree {
  readonly frontier: Frontier;
  /** Digest of the last record, hexadecimal; null when it was not read again. */
  readonly seal: string | null;
}

/**
 * @param leaves Open for adding.
 * @throws RuntimeError AUDIT_LOG_DAMAGED (U1), JOURNAL_CORRUPT, DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED
 */
export function extendTree(leaves: LeafFile, request: TreeRequest): Tree {
  const { dataDirectory, until, known } = request;
  const counted = leaves.count;
  const frontier = startingFrontier(leaves, request);
  if (until === undefined) syncLastSegment(dataDirectory); // (U3)
  let seal: string | null = null;
  let last = 0;
  const fresh: Buffer[] = [];
  const add = (leaf: Buffer) => {
    frontier.push(leaf);
    fresh.push(leaf);
    requireKnown(frontier, known); // (U1)
    if (fresh.length * leaf.length >= limits.auditLeafChunkBytes) leaves.add(fresh.splice(0));
  };
  for (const group of scanGroups(dataDirectory, { after: counted, until })) {
    for (const record of group) {
      if (record.sequence <= counted) {
        requireSame(leaves, record); // (U1)
      } else {
        while (frontier.size < record.sequence - 1) add(lostLeaf(frontier.size + 1)); // (A2)
        add(recordLeaf(record));
      }
      last = record.sequence;
      seal = record.digest.toString('hex');
    }
  }
  if (last < counted) {
    throw damaged(
      `the journal ends at record ${last}, and ${counted} were counted before; it was cut, or restored from a copy`,
      last + 1,
    );
  }
  if (known !== null && frontier.size < known.size) {
    throw damaged(
      `the journal ends at record ${frontier.size}, and the newest checkpoint has ${known.size}`,
      frontier.size + 1,
    );
  }
  leaves.add(fresh);
  return { frontier, seal };
}

function startingFrontier(leaves: LeafFile, { frontier, known }: TreeRequest): Frontier {
  if (frontier?.size === leaves.count) return Frontier.from(frontier);
  const made = new Frontier();
  for (let index = 0; index < leaves.count; index += 1) {
    made.push(Buffer.from(leaves.at(index)));
    requireKnown(made, known);
  }
  return made;
}

function requireKnown(frontier: Frontier, known: KnownRoot | null): void {
  if (known === null || frontier.size !== known.size || frontier.root().equals(known.root)) return;
  throw damaged(`its first ${known.size} records are not those of the newest checkpoint`, 1);
}

function requireSame(leaves: LeafFile, record: StoredRecord): void {
  if (leaves.at(record.sequence - 1).equals(recordLeaf(record))) return;
  const { sequence, position } = record;
  throw damaged(
    `record ${sequence} (segment ${position.segment}, offset ${position.offset}) is not the one that was counted before`,
    sequence,
  );
}

function syncLastSegment(dataDirectory: string): void {
  const folder = journalFolder(dataDirectory);
  const last = listSegments(nodeFilePort, folder).at(-1);
  if (last === undefined) return;
  const file = openSync(segmentPath(folder, last), 'r+');
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

function damaged(why: string, record: number): RuntimeError {
  return new RuntimeError(
    'AUDIT_LOG_DAMAGED',
    `No checkpoint is signed: ${why}; claw audit verify tells more.`,
    { details: { record } },
  );
}
