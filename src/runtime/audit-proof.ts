/**
 * Proofs to hand to others: that a record is in the journal of which a checkpoint
 * was signed (C2SP tlog-proof, with the bytes of the leaf as `extra`), and that one
 * checkpoint continues another. To check them takes the proof and the public key of
 * the log, nothing else.
 */
import { type Checkpoint, parseCheckpoint } from '../identity/checkpoint.ts';
import type { NoteVerifier } from '../identity/note-key.ts';
import { parseNote, verifiedBy } from '../identity/signed-note.ts';
import { parseHash } from '../identity/witness-request.ts';
import { LeafFile } from '../journal/leaf-file.ts';
import {
  consistencyHolds,
  consistencyProof,
  inclusionHolds,
  inclusionProof,
  leafHash,
} from '../journal/merkle-tree.ts';
import type { RecordType } from '../journal/record.ts';
import { parseLeafContent, recordLeafContent } from '../journal/record-leaf.ts';
import { scanGroups } from '../journal/record-scan.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { JournalFollower } from './journal-follower.ts';
import { checkpointsOf } from './take-checkpoint.ts';

const proofHeader = 'c2sp.org/tlog-proof@v1';

/** What a proof that holds says. */
export interface ProvenRecord {
  readonly sequence: number;
  readonly type: RecordType;
  /** Of what the record says, hexadecimal. */
  readonly digest: string;
  readonly timeMs: number;
  readonly checkpoint: {
    readonly origin: string;
    readonly size: number;
    readonly timeSeconds: number | null;
    /** Names of others that signed it; their keys are the reader's to know. */
    readonly cosigned: readonly string[];
  };
}

/** Sequence of the record of a run's event. @throws RuntimeError RUN_NOT_FOUND, AUDIT_RECORD_NOT_FOUND */
export function sequenceOfEvent(dataDirectory: string, run: string, event: number): number {
  const follower = new JournalFollower(dataDirectory);
  try {
    follower.advance();
    const indexed = follower.entry(run).events[event - 1];
    if (indexed === undefined) throw notFound(`The run ${run} has no event ${event}.`);
    return follower.read(indexed.position).sequence;
  } finally {
    follower.close();
  }
}

/**
 * That the record is in the newest checkpoint that covers it, cosigned before others.
 * @throws RuntimeError AUDIT_RECORD_NOT_FOUND, AUDIT_LOG_DAMAGED, JOURNAL_CORRUPT
 */
export function proveRecord(dataDirectory: string, sequence: number): string {
  const stored = checkpointsOf(dataDirectory);
  const covering = stored
    .sizes()
    .filter((size) => size >= sequence)
    .reverse();
  const notes = covering.map((size) => ({ size, note: stored.read(size) ?? '' }));
  const chosen = notes.find(({ note }) => parseNote(note).signatures.length > 1) ?? notes[0];
  if (chosen === undefined || sequence < 1)
    throw notFound(`No checkpoint covers record ${sequence}.`);
  const content = contentOf(dataDirectory, sequence);
  const leaves = LeafFile.read(dataDirectory);
  try {
    const { size, note } = chosen;
    const index = sequence - 1;
    if (leaves.count < size || !leaves.at(index).equals(leafHash(content))) {
      throw new RuntimeError(
        'AUDIT_LOG_DAMAGED',
        `Record ${sequence} cannot be proven, for it is not the one that was counted; claw audit verify tells more.`,
        { details: { record: sequence } },
      );
    }
    const proof = inclusionProof(index, size, leaves.range).map((each) => each.toString('base64'));
    const lines = [proofHeader, `extra ${content.toString('base64')}`, `index ${index}`, ...proof];
    return `${lines.join('\n')}\n\n${note}`;
  } finally {
    leaves.close();
  }
}

/**
 * @param log The key of the log, from a source that the reader trusts.
 * @throws RuntimeError AUDIT_NOTE_INVALID, AUDIT_PROOF_REFUSED
 */
export function checkRecordProof(text: string, log: NoteVerifier): ProvenRecord {
  const split = text.indexOf('\n\n');
  const [header, extra = '', place = '', ...hashes] = text.slice(0, Math.max(0, split)).split('\n');
  const [, encoded = ''] = /^extra (\S+)$/.exec(extra) ?? [];
  const [, digits = ''] = /^index (0|[1-9]\d{0,15})$/.exec(place) ?? [];
  const content = Buffer.from(encoded, 'base64');
  if (header !== proofHeader || digits === '' || content.toString('base64') !== encoded) {
    throw new RuntimeError(
      'AUDIT_NOTE_INVALID',
      'This is no proof of a record; claw audit prove writes one.',
    );
  }
  const says = parseLeafContent(content);
  if (hashes.length > limits.auditProofHashesMax || says === null) {
    throw refused('its leaf is not that of a record');
  }
  const { note, checkpoint } = signedBy(text.slice(split + 2), log);
  const index = Number(digits);
  const { size, root, origin, timeSeconds } = checkpoint;
  const claim = { index, size, leaf: leafHash(content), root };
  if (says.sequence !== index + 1 || !inclusionHolds(claim, hashes.map(parseHash))) {
    throw refused(`record ${index + 1} of ${origin} is not what it says`);
  }
  const cosigned = note.signatures.map(({ name }) => name).filter((name) => name !== log.name);
  return {
    sequence: says.sequence,
    type: says.type,
    digest: says.digest.toString('hex'),
    timeMs: says.timeMs,
    checkpoint: { origin, size, timeSeconds, cosigned },
  };
}

export interface ProvenGrowth {
  readonly origin: string;
  readonly from: number;
  readonly to: number;
  /** Hashes of the proof, base64. */
  readonly proof: readonly string[];
}

/**
 * That one checkpoint continues another, by the leaves that are kept.
 * @param notes The texts of two signed notes, in any order.
 * @throws RuntimeError AUDIT_NOTE_INVALID, AUDIT_PROOF_REFUSED, AUDIT_RECORD_NOT_FOUND
 */
export function proveGrowth(
  dataDirectory: string,
  notes: readonly [string, string],
  log: NoteVerifier,
): ProvenGrowth {
  const [older, newer] = notes
    .map((note) => signedBy(note, log).checkpoint)
    .sort((left, right) => left.size - right.size);
  assert(older !== undefined && newer !== undefined, 'two notes were given');
  const leaves = LeafFile.read(dataDirectory);
  try {
    if (leaves.count < newer.size) {
      throw notFound(
        `The log has ${leaves.count} records, and the newer checkpoint ${newer.size}.`,
      );
    }
    const proof = consistencyProof(older.size, newer.size, leaves.range);
    requireGrowth(older, newer, proof);
    const encoded = proof.map((each) => each.toString('base64'));
    return { origin: newer.origin, from: older.size, to: newer.size, proof: encoded };
  } finally {
    leaves.close();
  }
}

function requireGrowth(older: Checkpoint, newer: Checkpoint, proof: readonly Buffer[]): void {
  const { size: first, root: firstRoot } = older;
  const { size, root, origin } = newer;
  if (consistencyHolds({ first, firstRoot, size, root }, proof)) return;
  throw refused(`the ${size} records of ${origin} do not continue the ${first} of the older one`);
}

function signedBy(text: string, log: NoteVerifier) {
  const note = parseNote(text);
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint.origin !== log.name || verifiedBy(note, log) === null) {
    throw refused(`its checkpoint is not signed by ${log.name}`);
  }
  return { note, checkpoint };
}

function contentOf(dataDirectory: string, sequence: number): Buffer {
  for (const group of scanGroups(dataDirectory, { after: sequence - 1 })) {
    for (const record of group) if (record.sequence === sequence) return recordLeafContent(record);
  }
  throw notFound(`Record ${sequence} is not in the journal, or no longer.`);
}

function refused(why: string): RuntimeError {
  return new RuntimeError('AUDIT_PROOF_REFUSED', `The proof does not hold: ${why}.`);
}

function notFound(why: string): RuntimeError {
  return new RuntimeError(
    'AUDIT_RECORD_NOT_FOUND',
    `${why} claw audit checkpoint covers what is new.`,
  );
}
