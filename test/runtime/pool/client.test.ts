import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RuntimeError } from '../../../src/kernel/errors.ts';
import { sha256 } from '../../../src/kernel/hash.ts';
import { limits } from '../../../src/kernel/limits.ts';
import type { InputDocument } from '../../../src/runtime/document-reader.ts';
import { CpuPool } from '../../../src/runtime/pool/client.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pool-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pools: CpuPool[] = [];
function openPool(threads = 1, entry?: URL): CpuPool {
  const pool = new CpuPool({ threads, ...(entry === undefined ? {} : { entry }) });
  pools.push(pool);
  return pool;
}
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** A task for a pool. */
async function read(pool: CpuPool, path: string): Promise<InputDocument | undefined> {
  const request = { folder: dirname(path), names: [basename(path)], splitCharactersMax: null };
  return (await pool.run('read-documents', request))[0];
}

describe('CpuPool', () => {
  it('starts no thread before there is work', async () => {
    const pool = openPool(2);
    expect(pool.threads).toBe(0);
    await read(pool, file('first.txt', 'x'));
    expect(pool.threads).toBe(1);
  });

  it('answers each of many tasks with its own result', async () => {
    const pool = openPool(2);
    const paths = Array.from({ length: 50 }, (_, index) => file(`${index}.txt`, `text ${index}`));
    const results = await Promise.all(paths.map((path) => read(pool, path)));
    expect(results.map((result) => result?.sha256)).toEqual(
      paths.map((_, index) => sha256(`text ${index}`)),
    );
  });

  it('rebuilds the error of a task by its code', async () => {
    const path = join(folder, 'gone.bin');
    const error: unknown = await read(openPool(), path).catch((caught) => caught);
    expect(error).toBeInstanceOf(RuntimeError);
    expect(error).toMatchObject({ code: 'INPUT_NOT_FOUND' });
    expect((error as Error).message).toContain('gone.bin');
  });

  it('reads nothing through a link that was put in after the folder was looked at', async () => {
    const outside = file('outside.txt', 'secret');
    const inner = mkdtempSync(join(folder, 'inner-'));
    symlinkSync(outside, join(inner, 'a.txt'));
    const request = { folder: inner, names: ['a.txt'], splitCharactersMax: null };
    await expect(openPool().run('read-documents', request)).rejects.toMatchObject({
      code: 'INPUT_NOT_FOUND',
    });
  });

  it('refuses a document that grew beyond the limit', async () => {
    file('grown.txt', 'x'.repeat(limits.documentBytesMax + 1));
    const request = { folder, names: ['grown.txt'], splitCharactersMax: null };
    await expect(openPool().run('read-documents', request)).rejects.toMatchObject({
      code: 'DOCUMENT_TOO_LARGE',
    });
  });

  it('refuses a task when its queue is full, and finishes those it took', async () => {
    const pool = openPool(1);
    const path = file('queued.txt', 'x');
    const results = await Promise.allSettled(
      Array.from({ length: limits.poolQueueMax + 10 }, () => read(pool, path)),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(20);
    for (const result of refused) {
      expect(result.reason).toMatchObject({ code: 'OUTBOX_FULL', retryable: true });
    }
  });

  it('fails its tasks when a thread does not start, instead of waiting for ever', async () => {
    const pool = openPool(1, pathToFileURL(file('broken.mjs', 'throw new Error("broken");')));
    const path = file('lost.txt', 'x');
    const results = await Promise.allSettled([1, 2].map(() => read(pool, path)));
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'INTERNAL' } });
    }
    await expect(read(pool, path)).rejects.toThrow(/was lost: .*broken/);
    await pool.close();
    expect(pool.threads).toBe(0);
  });

  it('finishes accepted tasks on close, then refuses and leaves no thread', async () => {
    const pool = openPool(1);
    const path = file('last.txt', 'last');
    const results = Promise.all([1, 2, 3].map(() => read(pool, path)));
    await Promise.all([pool.close(), pool.close()]);
    expect(await results).toHaveLength(3);
    expect(pool.threads).toBe(0);
    await expect(read(pool, path)).rejects.toThrow(/closed/);
  });
});
