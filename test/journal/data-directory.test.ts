import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  checkDataDirectory,
  openDataDirectory,
  readLock,
} from '../../src/journal/data-directory.ts';
import { temporaryFolder, thrownBy } from './journal-fixture.ts';
import { startRacers } from './lock-racers.ts';

/** Writes who is said to own the directory. */
function sayOwner(folder: string, owner: { pid: number | undefined; processStart?: string }): void {
  const content = { processStart: null, startedAtMs: 1, port: null, ...owner };
  writeFileSync(join(folder, 'lock'), JSON.stringify(content));
}

describe('openDataDirectory', () => {
  test('creates the directory with its folders, for the owner alone', () => {
    const path = join(temporaryFolder(), 'deep', 'data');
    const directory = openDataDirectory(path, 5);
    expect(directory).toMatchObject({ path, created: true });
    expect(readFileSync(join(path, 'VERSION'), 'utf8')).toBe('3\n');
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
    const [owner] = await startRacers(1);
    expect(await owner?.take(path)).toBe('owner');
    expect(thrownBy(() => openDataDirectory(path, 6))).toMatchObject({
      code: 'DATA_DIRECTORY_LOCKED',
      details: { pid: owner?.pid },
    });
    await owner?.kill();
    expect(readLock(path)?.live).toBe(false);
    const next = openDataDirectory(path, 7);
    expect(readLock(path)).toMatchObject({ pid: process.pid, startedAtMs: 7, live: true });
    next.release();
  });

  test('gives its lock back once, and never that of a later owner', () => {
    const path = temporaryFolder();
    const first = openDataDirectory(path, 5);
    first.release();
    const next = openDataDirectory(path, 7);
    first.release();
    first.setPort(9);
    expect(readLock(path)).toMatchObject({ startedAtMs: 7, port: null });
    expect(thrownBy(() => openDataDirectory(path, 8)).code).toBe('DATA_DIRECTORY_LOCKED');
    next.release();
  });

  test('believes the system, not the file that names the owner', async () => {
    const path = temporaryFolder();
    const [owner] = await startRacers(1);
    await owner?.take(path);
    rmSync(join(path, 'lock'));
    expect(thrownBy(() => openDataDirectory(path, 5))).toMatchObject({
      code: 'DATA_DIRECTORY_LOCKED',
      details: { pid: null },
    });
    await owner?.release();
    // As in a copy of a directory that is in use.
    sayOwner(path, { pid: owner?.pid });
    expect(readLock(path)?.live).toBe(true);
    openDataDirectory(path, 6).release();
  });

  test.runIf(process.platform === 'linux')(
    'calls an owner dead whose process number belongs to a newer process',
    () => {
      const path = temporaryFolder();
      sayOwner(path, { pid: process.pid, processStart: '1' });
      expect(readLock(path)?.live).toBe(false);
    },
  );

  test('takes over a lock that nobody can read', () => {
    const path = temporaryFolder();
    openDataDirectory(path, 5).release();
    writeFileSync(join(path, 'lock'), '{"pid":');
    expect(readLock(path)).toBeNull();
    openDataDirectory(path, 6).release();
  });

  test('refuses a lock file that is damaged, and names it', () => {
    const path = temporaryFolder();
    openDataDirectory(path, 5).release();
    const file = join(path, 'lock.sqlite');
    expect(statSync(file)).toMatchObject({ size: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, 'no database '.repeat(100));
    expect(thrownBy(() => openDataDirectory(path, 6))).toMatchObject({
      code: 'DATA_DIRECTORY_UNUSABLE',
      message: expect.stringContaining(`${file} cannot be locked`),
    });
  });

  test('refuses a newer version and an unreadable one', () => {
    const path = temporaryFolder();
    openDataDirectory(path, 5).release();
    writeFileSync(join(path, 'VERSION'), '4\n');
    expect(thrownBy(() => openDataDirectory(path, 6)).code).toBe('DATA_VERSION_NEWER');
    expect(thrownBy(() => checkDataDirectory(path)).code).toBe('DATA_VERSION_NEWER');
    writeFileSync(join(path, 'VERSION'), 'two');
    expect(thrownBy(() => openDataDirectory(path, 6)).code).toBe('DATA_DIRECTORY_UNUSABLE');
    expect(readLock(path)).toBeNull();
  });

  test('raises an older version, and reads it without raising it', () => {
    const path = temporaryFolder();
    openDataDirectory(path, 5).release();
    const version = join(path, 'VERSION');
    writeFileSync(version, '1\n');
    checkDataDirectory(path);
    expect(readFileSync(version, 'utf8')).toBe('1\n');
    const directory = openDataDirectory(path, 6);
    expect(directory.created).toBe(false);
    expect(readFileSync(version, 'utf8')).toBe('3\n');
    directory.release();
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
