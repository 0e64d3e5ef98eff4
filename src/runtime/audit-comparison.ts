/**
 * Compares the journal, record by record, with what was kept of it: the leaves,
 * and the roots of checkpoints. Two trees grow side by side, one of the records and
 * one of the kept leaves; at each root the one that has it tells which of the two
 * was changed.
 *
 * Invariants
 *   V1. A record that is not there, dropped or damaged, is stood for by its kept
 *       leaf; its damage is somebody else's to name.
 *   V2. A difference is named once, with the first and last record since the
 *       root before it.
 *   V3. Of roots that neither tree has the first is named, with the records between
 *       it and the last one that fits. Behind it nothing more is said of roots.
 */
import { basename } from 'node:path';
import type { LeafFile } from '../journal/leaf-file.ts';
import { Frontier, treeHashBytes } from '../journal/merkle-tree.ts';
import type { JournalPosition, StoredRecord } from '../journal/record.ts';
import { lostLeaf, recordLeaf } from '../journal/record-leaf.ts';
import { segmentPath } from '../journal/segment.ts';
import type { AuditFaults } from './audit-fault.ts';
import type { AuditRoot } from './audit-roots.ts';

interface Difference {
  readonly from: number;
  readonly position: JournalPosition;
  to: number;
}

const leavesFile = 'audit/leaves';

export class AuditComparison {
  readonly #leaves: LeafFile;
  readonly #faults: AuditFaults;
  readonly #roots: readonly AuditRoot[];
  #ofJournal = new Frontier();
  #ofLeaves = new Frontier();
  #nextRoot = 0;
  #fitting = 0;
  #broken = false;
  #difference: Difference | null = null;

  /** @param roots In any order. */
  constructor(leaves: LeafFile, roots: readonly AuditRoot[], faults: AuditFaults) {
    this.#leaves = leaves;
    this.#faults = faults;
    this.#roots = roots.toSorted((left, right) => left.size - right.size);
  }

  /** Records of the tree so far. */
  get size(): number {
    return this.#ofJournal.size;
  }

  /** Root of the records so far. */
  get root(): Buffer {
    return this.#ofJournal.root();
  }

  /** The next good record of the journal. */
  add(record: StoredRecord): void {
    const { sequence, position } = record;
    this.#fill(sequence - 1);
    if (sequence !== this.size + 1) return; // A record twice is a fault of the journal.
    const leaf = recordLeaf(record);
    const kept = this.#keptAt(sequence);
    if (kept !== null && !kept.equals(leaf)) {
      this.#difference ??= { from: sequence, to: sequence, position };
      this.#difference.to = sequence;
    }
    this.#push(leaf, kept ?? leaf, record.digest.toString('hex'));
  }

  /** Everything was added. @returns what the journal lacks of what the roots say, if anything. */
  finish(): { readonly lacking: AuditRoot } | null {
    const last = this.size;
    const lacking = this.#roots[this.#nextRoot];
    if (lacking === undefined || lacking.size <= last) {
      this.#decide(null);
      this.#keptMore(last);
      return null;
    }
    // The kept leaves may still tell whether it was only cut, or changed before.
    if (this.#leaves.count >= lacking.size) this.#fill(lacking.size);
    this.#decide(null);
    if (!this.#broken) {
      this.#faults.add({
        file: lacking.file,
        offset: null,
        records: { from: last + 1, to: lacking.size },
        what: lacking.ofWitness
          ? `the witness has cosigned ${lacking.size} records, and the journal ends at ${last}: it was rolled back or cut`
          : `the journal ends at record ${last}, and this checkpoint has ${lacking.size}: it was rolled back or cut`,
      });
    }
    return { lacking };
  }

  /** Kept leaves for all records up to `size` that were not shown (V1). */
  #fill(size: number): void {
    while (this.size < size) {
      const sequence = this.size + 1;
      const kept = this.#keptAt(sequence) ?? lostLeaf(sequence);
      this.#push(kept, kept, null);
    }
  }

  #keptAt(sequence: number): Buffer | null {
    return sequence <= this.#leaves.count ? Buffer.from(this.#leaves.at(sequence - 1)) : null;
  }

  #push(leaf: Buffer, kept: Buffer, digest: string | null): void {
    this.#ofJournal.push(leaf);
    this.#ofLeaves.push(kept);
    for (;;) {
      const root = this.#roots[this.#nextRoot];
      if (root === undefined || root.size !== this.size) return;
      this.#nextRoot += 1;
      this.#compare(root);
      if (root.seal !== null && digest !== null && root.seal !== digest && !this.#broken) {
        this.#faults.file(root.file, `its seal is not the record ${root.size} of the journal`);
      }
    }
  }

  #compare(root: AuditRoot): void {
    if (this.#broken) return; // (V3)
    const journal = this.#ofJournal.root().equals(root.root);
    const leaves = this.#ofLeaves.root().equals(root.root);
    if (!journal && !leaves) {
      this.#broken = true;
      const what = root.ofWitness
        ? 'the witness has cosigned another history: this is the first of its checkpoints that does not fit'
        : 'this is the first checkpoint that the records do not fit';
      const records = { from: this.#fitting + 1, to: root.size };
      this.#faults.add({ file: root.file, offset: null, records, what });
      return;
    }
    this.#decide({ journal });
    this.#fitting = root.size;
    // What was named goes on with the tree that is right, so that it is named once (V2).
    if (!journal) this.#ofJournal = Frontier.from(this.#ofLeaves.state);
    if (!leaves) this.#ofLeaves = Frontier.from(this.#ofJournal.state);
  }

  /** Names the difference since the last root. @param right Which side a root has confirmed. */
  #decide(right: { readonly journal: boolean } | null): void {
    const difference = this.#difference;
    this.#difference = null;
    if (difference === null) return;
    const { from, to, position } = difference;
    const records = { from, to };
    const offset = (from - 1) * treeHashBytes;
    if (right?.journal === true) {
      const what = 'a kept leaf is not that of its record, which the next checkpoint confirms';
      this.#faults.add({ file: leavesFile, offset, records, what });
      return;
    }
    this.#faults.add({
      file: `journal/${basename(segmentPath('journal', position.segment))}`,
      offset: position.offset,
      records,
      what:
        right === null
          ? `record ${from} and its kept leaf (${leavesFile}, offset ${offset}) differ, and no checkpoint tells which was changed`
          : `record ${from} is not the one that was counted, as the next checkpoint confirms`,
    });
  }

  #keptMore(last: number): void {
    if (this.#leaves.count <= last) return;
    const records = { from: last + 1, to: this.#leaves.count };
    const what = `${this.#leaves.count} records were counted, and the journal ends at ${last}: it was rolled back or cut`;
    this.#faults.add({ file: leavesFile, offset: last * treeHashBytes, records, what });
  }
}
