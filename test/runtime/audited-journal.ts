/** A data directory with runs, audit events, checkpoints and a witness, all of the real parts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { logPublicPath } from '../../src/identity/log-key.ts';
import { formatNote, parseNote } from '../../src/identity/signed-note.ts';
import { Witness, withSignature } from '../../src/identity/witness.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { LeafFile } from '../../src/journal/leaf-file.ts';
import { consistencyProof } from '../../src/journal/merkle-tree.ts';
import { appendAuditEvents } from '../../src/runtime/audit-log.ts';
import { knownWitnessesPath } from '../../src/runtime/audit-roots.ts';
import { checkpointsOf, takeCheckpoint } from '../../src/runtime/take-checkpoint.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { answer, definition, noise, open } from './small-segments.ts';

export interface AuditedJournal {
  readonly data: string;
  readonly witness: Witness;
}

/** Begins with a witness that knows the log. */
export function auditedJournal(): AuditedJournal {
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  openDataDirectory(data, 1).release();
  open(data).close(); // Whose segments are small.
  checkpoint(data);
  const witness = Witness.create(join(folder, 'witness'), 'test/witness');
  witness.addLog(readFileSync(logPublicPath(data), 'utf8'));
  writeFileSync(knownWitnessesPath(data), `${witness.verifier.text}\n`);
  return { data, witness };
}

let nowMs = 1_767_225_600_000;

export function checkpoint(data: string) {
  nowMs += 60_000;
  return takeCheckpoint({ dataDirectory: data, until: null, nowMs, frontier: null });
}

/** A run that ends, with texts of that many random bytes each. */
export function addRun(data: string, texts: readonly string[] = [noise()]): void {
  const world = open(data);
  world.start(definition, texts);
  world.play(answer);
  world.close();
}

export function addEvent(data: string, actor: string): void {
  appendAuditEvents(data, [{ type: 'quarantined', run: 'r', actor, code: 'TEST', message: 'why' }]);
}

/** The newest checkpoint, cosigned, as the log keeps it. */
export function cosign({ data, witness }: AuditedJournal): number {
  const stored = checkpointsOf(data);
  const size = stored.sizes().at(-1) ?? 0;
  const old = witness.logs()[0]?.size ?? 0;
  const leaves = LeafFile.read(data);
  const proof = consistencyProof(old, size, leaves.range);
  leaves.close();
  const note = stored.read(size) ?? '';
  const { signature } = witness.cosign({ old, proof, note }, Math.floor(nowMs / 1_000));
  stored.write(size, formatNote(withSignature(parseNote(note), signature)));
  return size;
}

/** Two checkpoints that a witness cosigned, one that it did not see, and records behind. */
export function history(): AuditedJournal & { readonly sizes: readonly number[] } {
  const journal = auditedJournal();
  const { data } = journal;
  addRun(data, ['a short text', 'x'.repeat(300)]);
  addEvent(data, 'a');
  checkpoint(data);
  const first = cosign(journal);
  addEvent(data, 'b');
  addRun(data, ['another']);
  checkpoint(data);
  const second = cosign(journal);
  addEvent(data, 'c');
  const third = checkpoint(data).size;
  return { ...journal, sizes: [first, second, third] };
}

/** The witness as something to compare with. */
export const folderOf = ({ witness }: AuditedJournal) => ({
  path: witness.folder,
  publicKey: null,
});

/** Changes one bit of a file; the returned function changes it back. */
export function flip(path: string, offset: number, bit: number): () => void {
  const before = readFileSync(path);
  const changed = Buffer.from(before);
  changed[offset] = (changed[offset] ?? 0) ^ (1 << bit);
  writeFileSync(path, changed);
  return () => writeFileSync(path, before);
}
