import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  checkDataDirectory,
  openDataDirectory,
  readLock,
} from '../../src/journal/data-directory.ts';
import { temporaryFolder, thrownBy } from './journal-fixture.ts';

function lockText(folder: string, changes: Record<string, unknown> = {}): string {
  const lock = JSON.parse(readFileSync(join(folder, 'lock'), 'utf8')) as object;
  return JSON.stringify({ ...lock, ...changes });
}

/** A live process that is not this one, ended with the test. */
async function otherProcess() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child;
}

describe('openDataDirectory', () => {
  test('creates the directory with its folders, for the owner alone', () => {
    const path = join(temporaryFolder(), 'deep', 'data');
    const directory = openDataDirectory(path, 5);
    expect(directory).toMatchObject({ path, created: true });
    expect(readFileSync(join(path, 'VERSION'), 'utf8')).toBe('1\n');
    for (const folder of ['.', 'journal', 'blobs', 'workspaces']) {
      expect(statSync(join(path, folder)).mode & 0o777).toBe(0o700);
    }
    directory.release();
    const again = openDataDirectory(path, 6);
    expect(again.created).toBe(false);
    again.release();
  });

  test('locks out a second owner, who learns pid and port', () => {
    const path = temporaryFolder();
    const directory = openDataDirectory(path, 5);
    expect(readLock(path)).toEqual({
      pid: process.pid,
      startedAtMs: 5,
      port: null,
      live: true,
    });
    directory.setPort(7_420);
    expect(thrownBy(() => openDataDirectory(path, 6))).toMatchObject({
      code: 'DATA_DIRECTORY_LOCKED',
      details: { pid: process.pid, port: 7_420 },
    });
    expect(readLock(path)?.port).toBe(7_420);
    directory.release();
    expect(readLock(path)).toBeNull();
  });

  test('takes over the lock of a process that was killed', async () => {
    const path = temporaryFolder();
    const directory = openDataDirectory(path, 5);
    const child = await otherProcess();
    writeFileSync(join(path, 'lock'), lockText(path, { pid: child.pid, processStart: null }));
    expect(thrownBy(() => openDataDirectory(path, 6)).code).toBe('DATA_DIRECTORY_LOCKED');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(readLock(path)?.live).toBe(false);
    const next = openDataDirectory(path, 7);
    expect(readLock(path)).toMatchObject({ pid: process.pid, startedAtMs: 7, live: true });
    // The old owner must not remove the new owner's lock.
    directory.release();
    expect(readLock(path)?.startedAtMs).toBe(7);
    next.release();
  });

  test.runIf(process.platform === 'linux')(
    'takes over a lock whose process number belongs to a newer process',
    async () => {
      const path = temporaryFolder();
      openDataDirectory(path, 5);
      const child = await otherProcess();
      writeFileSync(join(path, 'lock'), lockText(path, { pid: child.pid, processStart: '1' }));
      const next = openDataDirectory(path, 6);
      expect(readLock(path)?.pid).toBe(process.pid);
      next.release();
    },
  );

  test('takes over a lock that nobody can read', () => {
    const path = temporaryFolder();
    openDataDirectory(path, 5).release();
    writeFileSync(join(path, 'lock'), '{"pid":');
    expect(readLock(path)).toBeNull();
    openDataDirectory(path, 6).release();
  });

  test('refuses a newer version and an unreadable one', () => {
    const path = temporaryFolder();
    openDataDirectory(path, 5).release();
    writeFileSync(join(path, 'VERSION'), '2\n');
    expect(thrownBy(() => openDataDirectory(path, 6)).code).toBe('DATA_VERSION_NEWER');
    expect(thrownBy(() => checkDataDirectory(path)).code).toBe('DATA_VERSION_NEWER');
    writeFileSync(join(path, 'VERSION'), 'two');
    expect(thrownBy(() => openDataDirectory(path, 6)).code).toBe('DATA_DIRECTORY_UNUSABLE');
    expect(readLock(path)).toBeNull();
  });

  test('leaves a folder alone that is something else', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'photos'));
    expect(thrownBy(() => openDataDirectory(folder, 5)).code).toBe('DATA_DIRECTORY_UNUSABLE');
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(thrownBy(() => openDataDirectory(file, 5)).code).toBe('DATA_DIRECTORY_UNUSABLE');
    expect(thrownBy(() => openDataDirectory(join(file, 'x'), 5)).code).toBe(
      'DATA_DIRECTORY_UNUSABLE',
    );
    expect(statSync(file).size).toBe(0);
  });
});

describe('checkDataDirectory', () => {
  test('accepts a data directory and names a folder that is none', () => {
    const path = temporaryFolder();
    openDataDirectory(path, 5).release();
    expect(() => checkDataDirectory(path)).not.toThrow();
    const other = temporaryFolder();
    mkdirSync(join(other, 'photos'));
    expect(thrownBy(() => checkDataDirectory(other)).code).toBe('DATA_DIRECTORY_UNUSABLE');
  });

  test('accepts one that does not exist yet, and does not make it', () => {
    const folder = temporaryFolder();
    checkDataDirectory(folder);
    checkDataDirectory(join(folder, 'absent'));
    expect(readdirSync(folder)).toEqual([]);
  });
});
