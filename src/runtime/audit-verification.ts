/**
 * Verifies the audit: the whole journal, the leaves and checkpoints that were kept
 * of it, the keys, and what a witness has cosigned. It changes nothing and works
 * beside a server.
 *
 * Invariants
 *   Y1. What only grows is read from its end to its source: checkpoints first, then
 *       leaves, then the journal, so that a server that adds to them meanwhile is
 *       no fault.
 *   Y2. Every fault names its file, and its offset or records.
 *   Y3. Bytes behind the last seal are no data: the next start zeroes them. They are
 *       told, and are a fault only where a checkpoint covers what was there. Behind
 *       the last group of an earlier segment there is nothing but zeros.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { auditEventBytes, parseAuditEvent } from '../identity/audit-event.ts';
import { logKeyPath, logPublicPath, readKeyLine } from '../identity/log-key.ts';
import { type NoteVerifier, parseNoteSigner, parseNoteVerifier } from '../identity/note-key.ts';
import { listSegments } from '../journal/compaction.ts';
import { checkDataDirectory } from '../journal/data-directory.ts';
import { journalFolder } from '../journal/data-folders.ts';
import { nodeFilePort } from '../journal/file-port.ts';
import { checkKeys, keyCommitmentsPath } from '../journal/key-commitments.ts';
import { LeafFile } from '../journal/leaf-file.ts';
import { treeHashBytes } from '../journal/merkle-tree.ts';
import type { JournalPosition, StoredRecord } from '../journal/record.ts';
import { recordDescriptor } from '../journal/record-descriptor.ts';
import { segmentPath } from '../journal/segment.ts';
import { type JournalVerification, verifyJournal } from '../journal/verification.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { AuditComparison } from './audit-comparison.ts';
import { type AuditFault, AuditFaults } from './audit-fault.ts';
import {
  type AuditRoot,
  readKnownWitnesses,
  readOwnRoots,
  readWitness,
  type WitnessSource,
} from './audit-roots.ts';

export interface AuditVerification {
  readonly ok: boolean;
  /** Name of the log, null before its first checkpoint. */
  readonly origin: string | null;
  /** Records of the journal, and the root of their tree, hexadecimal. */
  readonly size: number;
  readonly root: string;
  /** Audit records among those that are left. */
  readonly auditRecords: number;
  readonly leaves: number;
  readonly checkpoints: number;
  readonly newest: CheckpointView | null;
  /** Records behind the newest checkpoint, which nothing but the journal vouches for. */
  readonly uncovered: number;
  /** What the witness was compared with; null without one. */
  readonly witness: { readonly name: string; readonly size: number } | null;
  /** Bytes behind the last seal (Y3). */
  readonly unsealed: JournalVerification['torn'];
  readonly faults: readonly AuditFault[];
  /** How many more there were. */
  readonly moreFaults: number;
}

export interface CheckpointView {
  readonly size: number;
  readonly timeSeconds: number | null;
  readonly cosigned: readonly string[];
}

/**
 * @param witness A folder or a note to compare with; null for none.
 * @param trusted Keys of witnesses beside those that the log has taken, as text.
 * @throws RuntimeError WITNESS_NOT_FOUND, WITNESS_LOG_UNKNOWN, AUDIT_KEY_INVALID, AUDIT_NOTE_INVALID,
 *   DATA_DIRECTORY_UNUSABLE, DATA_VERSION_NEWER
 */
export function verifyAudit(
  dataDirectory: string,
  witness: WitnessSource | null = null,
  trusted: readonly string[] = [],
): AuditVerification {
  checkDataDirectory(dataDirectory);
  const faults = new AuditFaults();
  const log = checkLogKeys(dataDirectory, faults);
  const witnesses = [
    ...readKnownWitnesses(dataDirectory, faults),
    ...trusted.map(parseNoteVerifier),
  ];
  const own = readOwnRoots(dataDirectory, { log, witnesses }, faults); // (Y1)
  const seen = witness === null ? null : readWitness(witness, log, faults);
  const leaves = LeafFile.read(dataDirectory); // (Y1)
  try {
    const roots = [...own, ...(seen?.roots ?? [])];
    const comparison = new AuditComparison(leaves, roots, faults);
    const journal = new JournalCheck(dataDirectory, faults, comparison);
    const found = journal.run(); // (Y1)
    comparison.finish();
    checkRest(dataDirectory, leaves, faults);
    const newest = own.at(-1);
    return {
      ok: faults.none,
      origin: log?.name ?? null,
      size: comparison.size,
      root: comparison.root.toString('hex'),
      auditRecords: journal.auditRecords,
      leaves: leaves.count,
      checkpoints: own.length,
      newest: newest === undefined ? null : viewOf(newest),
      uncovered: Math.max(0, comparison.size - (newest?.size ?? 0)),
      witness: seen === null ? null : { name: seen.name, size: seen.roots.at(-1)?.size ?? 0 },
      unsealed: found?.torn ?? null,
      faults: faults.all,
      moreFaults: faults.more,
    };
  } finally {
    leaves.close();
  }
}

function viewOf({ size, timeSeconds, cosigned }: AuditRoot): CheckpointView {
  return { size, timeSeconds, cosigned };
}

/** The key of the log, from whichever of its two files is whole. */
function checkLogKeys(dataDirectory: string, faults: AuditFaults): NoteVerifier | null {
  const names = { key: logKeyPath(dataDirectory), pub: logPublicPath(dataDirectory) };
  const read = (path: string, parse: (line: string) => NoteVerifier): NoteVerifier | null => {
    const file = relative(dataDirectory, path);
    try {
      const line = readKeyLine(path);
      return line === null ? null : parse(line);
    } catch (error) {
      // Beside a server of another account the private key cannot be read, and need not.
      if (error instanceof RuntimeError) faults.file(file, error.message.split(';')[0] ?? '');
      return null;
    }
  };
  const secret = read(names.key, parseNoteSigner);
  const open = read(names.pub, parseNoteVerifier);
  if (secret !== null && open !== null && secret.text !== open.text) {
    faults.file('identity/log.pub', 'it is not the public half of identity/log.key');
  }
  return open ?? secret;
}

function checkRest(dataDirectory: string, leaves: LeafFile, faults: AuditFaults): void {
  if (leaves.torn > 0) {
    const what = `${leaves.torn} bytes behind the last whole leaf, as of a write that was cut short`;
    faults.add({ file: 'audit/leaves', offset: leaves.count * treeHashBytes, records: null, what });
  }
  const committed = relative(dataDirectory, keyCommitmentsPath(dataDirectory));
  for (const { run, offset } of checkKeys(dataDirectory)) {
    if (run === null)
      faults.add({ file: committed, offset, records: null, what: 'a line is damaged' });
    else faults.file(`keys/${run}`, 'the keys of the run are not those that were committed to');
  }
}

/** The pass over the journal. */
class JournalCheck {
  readonly #dataDirectory: string;
  readonly #faults: AuditFaults;
  readonly #comparison: AuditComparison;
  /** Behind the last good group of each segment. */
  readonly #ends = new Map<number, number>();
  auditRecords = 0;

  constructor(dataDirectory: string, faults: AuditFaults, comparison: AuditComparison) {
    this.#dataDirectory = dataDirectory;
    this.#faults = faults;
    this.#comparison = comparison;
  }

  run(): JournalVerification | null {
    try {
      const found = verifyJournal(this.#dataDirectory, nodeFilePort, (record) => this.#see(record));
      this.#report(found);
      this.#checkTails(found);
      return found;
    } catch (error) {
      // The files beside the segments: without them nobody knows where the journal begins.
      if (!(error instanceof RuntimeError) || error.code !== 'JOURNAL_CORRUPT') throw error;
      const name = error.message.includes('skipped')
        ? 'journal/skipped.json'
        : 'journal/compactions';
      this.#faults.file(name, error.message.split(';')[0] ?? '');
      return null;
    }
  }

  #see(record: StoredRecord): void {
    const { type, position, sequence } = record;
    if (type === 'seal') {
      this.#ends.set(position.segment, position.offset + recordDescriptor.headerBytes);
      if (!isPlainSeal(record)) this.#at(position, sequence, 'a seal says more than seals do');
    }
    if (type === 'audit') {
      this.auditRecords += 1;
      const event = parseAuditEvent(record.body);
      const isPlain = event !== null && auditEventBytes(event).equals(record.body);
      if (!isPlain || record.run !== null) this.#at(position, sequence, 'it is no audit event');
    }
    this.#comparison.add(record);
  }

  #report({ faults, blobFaults, keysMissing }: JournalVerification): void {
    for (const { segment, offset, what, lastGoodSequence, next } of faults) {
      const records = {
        from: lastGoodSequence + 1,
        to: (next?.sequence ?? lastGoodSequence + 2) - 1,
      };
      this.#faults.add({ file: fileOf(segment), offset, records, what });
    }
    for (const { hash, what } of blobFaults) this.#faults.file(`text ${hash}`, what);
    for (const run of keysMissing) {
      this.#faults.file(`keys/${run}`, 'the keys of the run are missing or damaged');
    }
  }

  /** (Y3) */
  #checkTails({ faults, torn }: JournalVerification): void {
    const folder = journalFolder(this.#dataDirectory);
    const segments = listSegments(nodeFilePort, folder);
    for (const segment of segments.slice(0, -1)) {
      const end = this.#ends.get(segment);
      if (end === undefined || faults.some((fault) => fault.segment === segment)) continue;
      if (torn?.segment === segment || !existsSync(segmentPath(folder, segment))) continue;
      const tail = readFileSync(segmentPath(folder, segment)).subarray(end);
      const at = tail.findIndex((byte) => byte !== 0);
      if (at >= 0)
        this.#at({ segment, offset: end + at }, null, 'a byte behind the last group is not zero');
    }
  }

  #at({ segment, offset }: JournalPosition, sequence: number | null, what: string): void {
    const records = sequence === null ? null : { from: sequence, to: sequence };
    this.#faults.add({ file: fileOf(segment), offset, records, what });
  }
}

function fileOf(segment: number): string {
  return `journal/${basename(segmentPath('journal', segment))}`;
}

/** Its own digest covers of a seal only the chain. */
function isPlainSeal({ run, actor, actorSequence, epoch, cause, body }: StoredRecord): boolean {
  const isBare = run === null && actor === null && cause === null;
  return isBare && actorSequence === 0 && epoch === 0 && body.length === 0;
}
