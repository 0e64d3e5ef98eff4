import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Sha256, sha256 } from '../../src/kernel/hash.ts';
import { limits } from '../../src/kernel/limits.ts';
import { contentOfFile, fillWorkspace } from '../../src/runtime/run-workspace.ts';
import { testFolder } from './running.ts';

function folders() {
  const folder = testFolder();
  const [source, target] = [join(folder, 'source'), join(folder, 'target')];
  mkdirSync(source);
  return { source, target };
}

describe('a workspace', () => {
  test('gets the regular files of the source, named with size and hash', async () => {
    const { source, target } = folders();
    mkdirSync(join(source, 'folder'));
    for (const name of ['b.txt', 'a.txt']) writeFileSync(join(source, name), name);
    const { files, texts } = await fillWorkspace(target, source);
    expect(files).toEqual(
      ['a.txt', 'b.txt'].map((name) => ({
        name,
        sha256: sha256(name),
        bytes: 5,
        texts: [sha256(name)],
      })),
    );
    expect(texts.get(sha256('a.txt'))?.toString()).toBe('a.txt');
    expect(existsSync(join(target, 'folder'))).toBe(false);
  });

  test('takes as many files as the limit in slices, and one more not at all', async () => {
    const { source, target } = folders();
    for (let index = 0; index < limits.workspaceFilesMax; index += 1) {
      writeFileSync(join(source, `f${index}`), '');
    }
    expect((await fillWorkspace(target, source)).files).toHaveLength(limits.workspaceFilesMax);
    writeFileSync(join(source, 'one-more'), '');
    const another = `${target}-2`;
    await expect(fillWorkspace(another, source)).rejects.toMatchObject({
      code: 'WORKSPACE_TOO_LARGE',
    });
    expect(existsSync(another)).toBe(false);
  });

  test('keeps a large file in parts, and an empty one in none', async () => {
    const { source, target } = folders();
    const large = randomBytes(2 * limits.workspaceTextBytesMax + 1);
    writeFileSync(join(source, 'large.bin'), large);
    writeFileSync(join(source, 'none.txt'), '');
    const { files, texts } = await fillWorkspace(target, source);
    const [first, second] = files;
    expect(first?.texts).toHaveLength(3);
    expect(second?.texts).toEqual([]);
    const blobs = (hash: Sha256) => texts.get(hash) ?? null;
    for (const [file, content] of [
      [first, large],
      [second, Buffer.alloc(0)],
    ] as const)
      expect(file && contentOfFile(file, blobs)?.equals(content)).toBe(true);
    const lost = first?.texts?.[1];
    const others = (hash: Sha256) => (hash === lost ? null : blobs(hash));
    expect(first && contentOfFile(first, others)).toBeNull();
  });

  test('is refused where a file grew after it was looked at', async () => {
    const { source, target } = folders();
    const { stat } = fs;
    onTestFinished(() => {
      fs.stat = stat;
      syncBuiltinESMExports();
    });
    fs.stat = (async () => ({ size: 0 })) as unknown as typeof stat;
    syncBuiltinESMExports();
    writeFileSync(join(source, 'large.bin'), '');
    truncateSync(join(source, 'large.bin'), limits.workspaceBytesMax + 1);
    await expect(fillWorkspace(target, source)).rejects.toMatchObject({
      code: 'WORKSPACE_TOO_LARGE',
      message: expect.stringContaining('has grown meanwhile'),
    });
    expect(existsSync(target)).toBe(false);
  });

  test('leaves no folder behind when the source cannot be read', async () => {
    const { source, target } = folders();
    await expect(fillWorkspace(target, join(source, 'no'))).rejects.toMatchObject({
      code: 'INPUT_NOT_FOUND',
    });
    expect(existsSync(target)).toBe(false);
  });
});
