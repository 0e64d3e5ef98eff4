import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/kernel/hash.ts';
import { limits } from '../../src/kernel/limits.ts';
import { CpuPool } from '../../src/runtime/pool/client.ts';
import { fillWorkspace } from '../../src/runtime/run-workspace.ts';
import { testFolder } from './running.ts';

const pool = new CpuPool({ threads: 1 });
afterAll(() => pool.close());

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
    expect(await fillWorkspace(target, source, pool)).toEqual([
      { name: 'a.txt', sha256: sha256('a.txt'), bytes: 5 },
      { name: 'b.txt', sha256: sha256('b.txt'), bytes: 5 },
    ]);
    expect(existsSync(join(target, 'folder'))).toBe(false);
  });

  test('takes as many files as the limit in slices, and one more not at all', async () => {
    const { source, target } = folders();
    for (let index = 0; index < limits.workspaceFilesMax; index += 1) {
      writeFileSync(join(source, `f${index}`), '');
    }
    expect(await fillWorkspace(target, source, pool)).toHaveLength(limits.workspaceFilesMax);
    writeFileSync(join(source, 'one-more'), '');
    const another = `${target}-2`;
    await expect(fillWorkspace(another, source, pool)).rejects.toMatchObject({
      code: 'WORKSPACE_TOO_LARGE',
    });
    expect(existsSync(another)).toBe(false);
  });

  test('leaves no folder behind when the source cannot be read', async () => {
    const { source, target } = folders();
    await expect(fillWorkspace(target, join(source, 'no'), pool)).rejects.toMatchObject({
      code: 'INPUT_NOT_FOUND',
    });
    expect(existsSync(target)).toBe(false);
  });
});
