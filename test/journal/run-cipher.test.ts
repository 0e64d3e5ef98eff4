import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RunCipher } from '../../src/journal/run-cipher.ts';
import { RunKeys } from '../../src/journal/run-keys.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { newRunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { temporaryFolder, thrownBy } from './journal-fixture.ts';

describe('the keys of a run', () => {
  test('read what they wrote, each time in other bytes, and nobody else does', () => {
    const cipher = RunCipher.create(newRunId());
    for (const content of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(5_000, 'secret')]) {
      const [one, other] = [cipher.encrypt(content), cipher.encrypt(content)];
      expect(one).toHaveLength(content.length + 28);
      expect(one.equals(other)).toBe(false);
      expect(cipher.decrypt(one)).toEqual(content);
      const stranger = RunCipher.create(cipher.run);
      expect(thrownBy(() => stranger.decrypt(one)).code).toBe('JOURNAL_CORRUPT');
      for (const at of [0, 12, one.length - 1]) {
        const changed = Buffer.from(one);
        changed[at] = (changed[at] ?? 0) ^ 1;
        expect(thrownBy(() => cipher.decrypt(changed)).code).toBe('JOURNAL_CORRUPT');
      }
    }
    expect(thrownBy(() => cipher.decrypt(Buffer.alloc(11))).code).toBe('JOURNAL_CORRUPT');
  });

  test('give a text a name that no other run would give it', () => {
    const hash = sha256('yes');
    const [one, other] = [RunCipher.create(newRunId()), RunCipher.create(newRunId())];
    expect(one.nameOf(hash)).toBe(one.nameOf(hash));
    expect(new Set([hash, one.nameOf(hash), other.nameOf(hash)]).size).toBe(3);
    expect(one.nameOf(sha256('no'))).not.toBe(one.nameOf(hash));
  });

  test('are the same after they were written, with the runs that a fork goes on from', () => {
    const [first, second, third] = [newRunId(), newRunId(), newRunId()];
    const root = RunCipher.create(first);
    const fork = RunCipher.create(third, RunCipher.create(second, root));
    const again = RunCipher.tryFromBytes(fork.toBytes());
    if (again === null) throw new Error('they are keys');
    expect(again).toMatchObject({ run: third, parents: [second, first] });
    expect(again.decrypt(fork.encrypt(Buffer.from('text')))).toEqual(Buffer.from('text'));
    expect(again.nameOf(sha256('a'))).toBe(fork.nameOf(sha256('a')));
    expect(thrownBy(() => root.decrypt(fork.encrypt(Buffer.from('x')))).code).toBe(
      'JOURNAL_CORRUPT',
    );
    for (const length of [0, 79, 81]) {
      const bytes = Buffer.concat([fork.toBytes(), Buffer.alloc(1)]).subarray(0, length);
      expect(RunCipher.tryFromBytes(bytes)).toBeNull();
    }
  });
});

describe('the folder of keys', () => {
  test('keeps them for their owner alone, until they are erased', () => {
    const folder = temporaryFolder();
    const keys = new RunKeys(folder);
    const [run, other] = [newRunId(), newRunId()];
    expect(keys.find(other)).toBeNull();
    const cipher = keys.create(run);
    keys.create(newRunId());
    const path = join(folder, 'keys', run);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path)).toEqual(cipher.toBytes());
    const stored = cipher.encrypt(Buffer.from('text'));
    expect(new RunKeys(folder).find(run)?.decrypt(stored)).toEqual(Buffer.from('text'));
    expect(thrownBy(() => new RunKeys(folder).create(run)).code).toBe('JOURNAL_FAILED');
    expect(existsSync(path)).toBe(true);
    cpSync(path, join(folder, 'away'));
    for (let time = 0; time < 2; time += 1) {
      keys.erase(run);
      expect(keys.find(run)).toBeNull();
      expect(new RunKeys(folder).find(run)).toBeNull();
    }
    // As after a crash before they were overwritten, or before they were removed.
    renameSync(join(folder, 'away'), `${path}.erased`);
    expect(new RunKeys(folder).find(run)).toBeNull();
    keys.erase(run);
    expect(readdirSync(join(folder, 'keys'))).toHaveLength(1);
  });

  test('remembers no more than it may, and finds the others again', () => {
    const folder = temporaryFolder();
    const keys = new RunKeys(folder);
    const runs = Array.from({ length: limits.runKeysCachedMax + 2 }, () => newRunId());
    for (const run of runs) keys.create(run);
    const [first = newRunId()] = runs;
    // What was forgotten is read from the file, which says something else now.
    writeFileSync(join(folder, 'keys', first), 'damaged');
    expect(keys.find(first)).toBeNull();
    const last = runs.at(-1) ?? first;
    writeFileSync(join(folder, 'keys', last), 'damaged');
    expect(keys.find(last)?.run).toBe(last);
    keys.forget(last);
    expect(keys.find(last)).toBeNull();
  });
});
