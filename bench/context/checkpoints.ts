/**
 * What engines that checkpoint the whole state do: a row for each step with
 * all messages so far, as LangGraph's SqliteSaver stores them.
 */
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { zstdCompressSync } from 'node:zlib';
import { assert } from '../../src/kernel/assert.ts';
import type { Message } from './scripted-model.ts';

export class CheckpointTable {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #encode: (text: string) => string | Uint8Array;
  #steps = 0;

  /** @param compressed each checkpoint as one zstd frame. */
  constructor(path: string, compressed: boolean) {
    this.#path = path;
    this.#database = new DatabaseSync(path);
    this.#database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;');
    this.#database.exec(
      'CREATE TABLE checkpoints (thread_id TEXT, checkpoint_id INTEGER, parent_checkpoint_id INTEGER, checkpoint BLOB, PRIMARY KEY (thread_id, checkpoint_id))',
    );
    this.#encode = compressed ? (text) => zstdCompressSync(text) : (text) => text;
  }

  save(messages: readonly Message[]): void {
    const state = this.#encode(JSON.stringify({ channel_values: { messages } }));
    this.#steps += 1;
    this.#database
      .prepare('INSERT INTO checkpoints VALUES (?, ?, ?, ?)')
      .run('thread', this.#steps, this.#steps - 1, state);
  }

  /** Bytes on disk once the log is in the table. */
  close(): number {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const { count } = this.#database.prepare('SELECT count(*) AS count FROM checkpoints').get() as {
      count: number;
    };
    assert(count === this.#steps, 'every checkpoint was written');
    this.#database.close();
    return statSync(this.#path).size;
  }
}
