/**
 * The texts of a journal, for a thread that needs nothing else of it and looks
 * rarely. It may be far behind when a compaction drops what it has not read yet;
 * then it begins again, for what is still named is a file or lies behind.
 */
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { listSegments } from './compaction.ts';
import { journalFolder } from './data-folders.ts';
import { nodeFilePort } from './file-port.ts';
import { JournalReader } from './journal-reader.ts';
import type { JournalPosition } from './record.ts';

export class JournalTexts {
  readonly #dataDirectory: string;
  #reader: JournalReader;

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
    this.#reader = JournalReader.open(dataDirectory);
  }

  /**
   * A text that a record of the run before `until` may name, the durable end where it is known; null when there is none.
   * @throws RuntimeError JOURNAL_CORRUPT
   */
  lookup(hash: Sha256, run: RunId | null, until: JournalPosition | undefined): Buffer | null {
    try {
      this.#catchUp(until);
    } catch (error) {
      if (!this.#isOvertaken()) throw error;
      this.#reader.close();
      this.#reader = JournalReader.open(this.#dataDirectory);
      this.#catchUp(until);
    }
    return this.#reader.blob(hash, run);
  }

  /** Nobody will ask for texts of the run soon. */
  forget(run: RunId): void {
    this.#reader.keys.forget(run);
  }

  close(): void {
    this.#reader.close();
  }

  #catchUp(until: JournalPosition | undefined): void {
    for (const _group of this.#reader.groups(until));
  }

  /** Whether the segment that is to be read next was dropped. */
  #isOvertaken(): boolean {
    const [first = 0] = listSegments(nodeFilePort, journalFolder(this.#dataDirectory));
    return first > this.#reader.position.segment + 1;
  }
}
