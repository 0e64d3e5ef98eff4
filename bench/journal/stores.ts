/**
 * The contenders: each stores events in groups, every group durable before the
 * next begins, and reads all of them back. Both answer events a second.
 *
 * The journal does more for an event than the others do: it chains the events
 * of an actor, checksums and seals them; and it is given encoded, digested
 * records, as its producers hand them in, each from a thread of its own.
 */
import fs from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { ClassicLevel } from 'classic-level';
import { open } from 'lmdb';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { assert } from '../../src/kernel/assert.ts';
import { runIdBytes } from '../../src/kernel/ids.ts';
import { actor, eventValue, run, Tally } from './events.ts';

/** Work that is timed, and what it handled. */
async function rate(count: number, work: () => unknown): Promise<number> {
  const started = performance.now();
  await work();
  return count / ((performance.now() - started) / 1_000);
}

/** Pieces of so many. */
function* groupsOf<T>(all: readonly T[], group: number): Generator<readonly T[]> {
  for (let start = 0; start < all.length; start += group) yield all.slice(start, start + group);
}

export async function appendToJournal(
  path: string,
  batches: Iterable<Buffer>,
  { count, group }: { count: number; group: number },
): Promise<number> {
  const writer = JournalWriter.open(path);
  try {
    return await rate(count, () => {
      let events = 0;
      for (const batch of batches) {
        const refusal = writer.stage(batch, 0, batch.length);
        assert(refusal === null, 'the journal takes the event');
        events += 1;
        if (events % group === 0) writer.commit();
      }
      writer.commit();
    });
  } finally {
    writer.close();
  }
}

export function scanJournal(
  path: string,
  content: readonly Buffer[],
  verifyDigests = false,
): Promise<number> {
  const reader = JournalReader.open(path, { verifyDigests });
  const tally = new Tally();
  return rate(content.length, () => {
    for (const group of reader.groups()) {
      for (const record of group) {
        if (record.type !== 'event') continue;
        assert(record.actor === actor, 'the event is of its actor');
        tally.add(record.actorSequence, record.body);
      }
    }
    reader.close();
    tally.require(content);
  });
}

/**
 * The limit: the bytes of the journal's groups, one write and one fdatasync
 * each, into a file that is there in full and holds no holes; or into a new one.
 */
export async function appendRaw(
  path: string,
  groupBytes: readonly number[],
  count: number,
  filling: 'zeros' | 'new' = 'zeros',
): Promise<number> {
  const total = groupBytes.reduce((sum, bytes) => sum + bytes, 0);
  const bytes = Buffer.alloc(Math.max(...groupBytes), 'x');
  const file = fs.openSync(path, 'wx+');
  const zeros = Buffer.alloc(2 ** 20);
  for (let at = 0; filling === 'zeros' && at < total; at += zeros.length) {
    fs.writeSync(file, zeros, 0, zeros.length, at);
  }
  fs.fdatasyncSync(file);
  try {
    return await rate(count, () => {
      let at = 0;
      for (const length of groupBytes) {
        assert(fs.writeSync(file, bytes, 0, length, at) === length, 'a write is complete');
        fs.fdatasyncSync(file);
        at += length;
      }
    });
  } finally {
    fs.closeSync(file);
  }
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  database.exec(
    'CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, run BLOB, actor TEXT, actor_sequence INTEGER, time INTEGER, body BLOB)',
  );
  return database;
}

export async function appendToSqlite(
  path: string,
  content: readonly Buffer[],
  group: number,
): Promise<number> {
  const database = openDatabase(path);
  const runBytes = runIdBytes(run);
  const insert = database.prepare(
    'INSERT INTO events (run, actor, actor_sequence, time, body) VALUES (?, ?, ?, ?, ?)',
  );
  const measured = await rate(content.length, () => {
    let sequence = 0;
    for (const bodies of groupsOf(content, group)) {
      database.exec('BEGIN');
      for (const body of bodies) {
        sequence += 1;
        insert.run(runBytes, actor, sequence, sequence, body);
      }
      database.exec('COMMIT');
    }
  });
  database.close();
  return measured;
}

export async function scanSqlite(path: string, content: readonly Buffer[]): Promise<number> {
  const database = openDatabase(path);
  const tally = new Tally();
  const measured = await rate(content.length, () => {
    for (const row of database.prepare('SELECT * FROM events ORDER BY sequence').iterate()) {
      assert(row.actor === actor, 'the event is of its actor');
      tally.add(Number(row.actor_sequence), row.body as Uint8Array);
    }
    tally.require(content);
  });
  database.close();
  return measured;
}

/** Without the overlap a commit returns when the disk has it. */
function openLmdb(path: string) {
  return open<Buffer, number>({
    path,
    encoding: 'binary',
    overlappingSync: false,
    keyEncoding: 'uint32',
  });
}

export async function appendToLmdb(
  path: string,
  content: readonly Buffer[],
  group: number,
): Promise<number> {
  const database = openLmdb(path);
  const measured = await rate(content.length, () => {
    let sequence = 0;
    for (const bodies of groupsOf(content, group)) {
      database.transactionSync(() => {
        for (const body of bodies) {
          sequence += 1;
          database.putSync(sequence, eventValue(sequence, body));
        }
      });
    }
  });
  await database.close();
  return measured;
}

export async function scanLmdb(path: string, content: readonly Buffer[]): Promise<number> {
  const database = openLmdb(path);
  const tally = new Tally();
  const measured = await rate(content.length, () => {
    for (const { value } of database.getRange({})) tally.addValue(value);
    tally.require(content);
  });
  await database.close();
  return measured;
}

async function openLevel(path: string): Promise<ClassicLevel<Buffer, Buffer>> {
  const database = new ClassicLevel<Buffer, Buffer>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  await database.open();
  return database;
}

function levelKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(sequence);
  return key;
}

export async function appendToLevel(
  path: string,
  content: readonly Buffer[],
  group: number,
): Promise<number> {
  const database = await openLevel(path);
  const measured = await rate(content.length, async () => {
    let sequence = 0;
    for (const bodies of groupsOf(content, group)) {
      const operations = bodies.map((body) => {
        sequence += 1;
        return { type: 'put' as const, key: levelKey(sequence), value: eventValue(sequence, body) };
      });
      await database.batch(operations, { sync: true });
    }
  });
  await database.close();
  return measured;
}

export async function scanLevel(path: string, content: readonly Buffer[]): Promise<number> {
  const database = await openLevel(path);
  const tally = new Tally();
  const measured = await rate(content.length, async () => {
    const values = database.values();
    for (
      let batch = await values.nextv(1_000);
      batch.length > 0;
      batch = await values.nextv(1_000)
    ) {
      for (const value of batch) tally.addValue(value);
    }
    await values.close();
    tally.require(content);
  });
  await database.close();
  return measured;
}
