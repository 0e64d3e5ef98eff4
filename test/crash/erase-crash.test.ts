/**
 * Goal: an erasure that is interrupted anywhere leaves the run whole or erased for good.
 *
 * Method: a run that has ended, on a disk that fails; the power goes, or the process is
 * killed, at each operation of the erasure, and at random ones of its repetitions.
 * ERASE_SCHEDULES says how many random schedules are tried.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keyPath, keysFolder } from '../../src/journal/data-folders.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import { completeErasures, eraseRun } from '../../src/runtime/erase-run.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import type { SimulatedDisk } from '../journal/simulated-disk.ts';
import { type Expected, openWorld, uninterrupted } from './run-schedules.ts';
import { seededRandom } from './seeded-random.ts';

const schedules = Number(process.env.ERASE_SCHEDULES ?? 50);

interface EndedRun {
  readonly folder: string;
  readonly disk: SimulatedDisk;
  readonly run: RunId;
  readonly expected: Expected;
  readonly keys: Buffer;
}

function endedRun(): EndedRun {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'journal'));
  const { disk, run, expected } = uninterrupted(folder, 'durable');
  return { folder, disk, run, expected, keys: disk.contentOf(keyPath(folder, run)) };
}

/** A start, an erasure where the run is still there, and what must be true of it. */
function eraseOn(
  disk: SimulatedDisk,
  { folder, run, expected, keys }: EndedRun,
): 'whole' | 'erased' {
  const world = openWorld(folder, disk, 'durable');
  const { follower } = world;
  completeErasures(folder, follower);
  const entry = follower.index.get(run);
  const found = entry === undefined ? 'erased' : 'whole';
  if (entry !== undefined) {
    expect(entry.ended?.body).toEqual(expected.ended);
    expect(entry.events).toHaveLength(expected.events);
  }
  world.close();
  if (entry !== undefined) eraseRun(folder, run, { forks: false, nowMs: 9, files: disk });
  const { index, keys: left } = openWorld(folder, disk, 'durable').follower;
  expect(index.get(run)).toBeUndefined();
  expect(index.erased.get(run)?.erasedAt).toEqual(expect.any(Number));
  expect(left.find(run)).toBeNull();
  expect(disk.list(keysFolder(folder))).toEqual([]);
  // Nothing of it comes back, whatever the disk still has to do.
  const later = disk.afterCrash(() => 0.999);
  for (const name of later.list(keysFolder(folder))) {
    expect(later.contentOf(join(keysFolder(folder), name)).includes(keys.subarray(16, 48))).toBe(
      false,
    );
  }
  return found;
}

/** Lets the disk do so many operations more, then the power goes or the process dies. */
function interrupt(disk: SimulatedDisk, operations: number): { left: number } {
  const state = { left: operations };
  disk.decide = ({ type, path }) => {
    // Keys lose their last name only once the disk has them overwritten.
    if (type === 'unlink' && path.endsWith('.erased')) {
      const durable = disk.afterCrash(() => 0).contentOf(path);
      expect(durable.equals(Buffer.alloc(durable.length))).toBe(true);
    }
    state.left -= 1;
    if (state.left < 0) throw new Error('the power is gone');
    return 'done';
  };
  return state;
}

/** What became of the run after an interruption at this operation; null: it was over before. */
function interruptedAt(operation: number, ended: EndedRun, random: () => number): string | null {
  let disk = ended.disk.afterKill();
  let state = interrupt(disk, operation);
  for (let life = 1; ; life += 1) {
    try {
      const found = eraseOn(disk, ended);
      return life === 1 ? null : found;
    } catch (error) {
      if (state.left >= 0) throw error;
      disk = random() < 0.7 ? disk.afterCrash(random) : disk.afterKill();
      state = interrupt(disk, Math.floor(random() * 100 * life));
    }
  }
}

describe('an erasure', () => {
  test('is whole or done after an interruption at each of its operations', {
    timeout: 180_000,
  }, () => {
    const ended = endedRun();
    const random = seededRandom(1);
    const found = new Map<string, number>();
    for (let operation = 0; ; operation += 1) {
      const result = interruptedAt(operation, ended, random);
      if (result === null) break;
      found.set(result, (found.get(result) ?? 0) + 1);
    }
    expect(found.get('whole')).toBeGreaterThan(5);
    expect(found.get('erased')).toBeGreaterThan(3);
  });

  test(`comes to its end through ${schedules} random schedules of crashes`, () => {
    const ended = endedRun();
    for (let seed = 1; seed <= schedules; seed += 1) {
      const random = seededRandom(seed);
      interruptedAt(Math.floor(random() * 60), ended, random);
    }
  }, 1_200_000);
});
