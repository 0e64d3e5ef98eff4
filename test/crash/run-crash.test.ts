/**
 * A run with effects that is interrupted wherever it can be. CRASH_SCHEDULES
 * says how many random schedules are tried.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keyPath } from '../../src/journal/data-folders.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import type { JournalMode } from '../../src/journal/journal-writer.ts';
import { alignRecord } from '../../src/journal/record-descriptor.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import { type EventBody, rawBodyOf } from '../../src/runtime/event-record.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { journalSegment } from '../journal/marked-journal.ts';
import { SimulatedDisk } from '../journal/simulated-disk.ts';
import type { World } from '../runtime/world.ts';
import {
  type Expected,
  Outside,
  openWorld,
  pipelineFor,
  playOn,
  resume,
  uninterrupted,
} from './run-schedules.ts';
import { seededRandom } from './seeded-random.ts';

const schedules = Number(process.env.CRASH_SCHEDULES ?? 150);

function newFolder(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'journal'));
  return folder;
}

/** Whether the run came to the end that it would have come to. */
function expectSameEnd(world: World, run: RunId, outside: Outside, expected: Expected): void {
  const { ended, events } = world.follower.entry(run);
  expect(ended?.body).toEqual(expected.ended);
  expect(events.length - doubtsOf(world, run)).toBe(expected.events);
  expect(outside.keys()).toEqual(expected.effectKeys); // (E3)
}

/** Events that say of an effect that nobody knows its outcome. */
function doubtsOf({ follower }: World, run: RunId): number {
  const entry = follower.entry(run);
  const sequences = entry.events.keys().map((index) => index + 1);
  return [...follower.records(entry, sequences)].filter(
    ({ record }) => (rawBodyOf(record) as EventBody).event.type === 'outcome-unknown',
  ).length;
}

/** Outcomes that are in the journal must not be asked for again (E2). */
function expectNoneAgain(world: World, answered: ReadonlySet<string>): void {
  const again = world.acts.filter(({ open }) => answered.has(open.key));
  expect(again).toEqual([]);
}

/** Keys of all outcomes that a journal holds. */
function answeredKeys(folder: string, disk: SimulatedDisk): Set<string> {
  const reader = JournalReader.open(folder, { files: disk });
  const keys = new Set<string>();
  for (const record of reader.advance()) {
    if (record.type !== 'event') continue;
    const { event, cause } = rawBodyOf(record) as EventBody;
    if (event.type === 'outcome' && cause !== null) keys.add(cause);
  }
  reader.close();
  return keys;
}

describe('a run with effects', () => {
  test('comes to its end from a crash at every boundary of its records', async () => {
    const folder = newFolder();
    const { expected, disk, run } = uninterrupted(folder, 'durable');
    const reader = JournalReader.open(folder, { files: disk });
    const records = reader.advance();
    reader.close();
    const path = journalSegment(folder, 1);
    const keys = keyPath(folder, run);
    const whole = disk.contentOf(path);
    const ends = records.map(
      ({ position }) => position.offset + alignRecord(whole.readUInt32LE(position.offset)),
    );
    const firstSeal = records.findIndex(({ type }) => type === 'seal');
    let resumed = 0;
    let doubted = 0;
    for (const end of ends) {
      const bytes = Buffer.from(whole);
      bytes.fill(0, end);
      const cut = new SimulatedDisk(
        new Map([
          [path, bytes],
          [keys, disk.contentOf(keys)],
        ]),
      );
      const world = openWorld(folder, cut, 'durable');
      // Before its first group is whole nobody was told that there is a run.
      const isThere = world.follower.index.get(run) !== undefined;
      expect(isThere).toBe(end >= (ends[firstSeal] ?? 0));
      if (isThere) {
        const answered = answeredKeys(folder, cut);
        const outside = outsideUpTo(expected, run, answered);
        if (world.follower.index.open().length > 0) await resume(world, run);
        expectNoneAgain(world, answered);
        playOn(world, outside, () => 1);
        expectSameEnd(world, run, outside, expected);
        resumed += 1;
        doubted += outside.doubted;
      }
      world.close();
    }
    expect(ends.length).toBeGreaterThan(30);
    expect(expected.effectKeys).toHaveLength(4);
    expect(doubted).toBeGreaterThan(2);
    expect(resumed).toBeGreaterThan(ends.length - 10);
    expect(answeredKeys(folder, disk).size).toBe(8);
  });

  test.each(['durable', 'relaxed'] as const)(
    `comes to its end through ${schedules} random schedules of crashes, on a %s journal`,
    async (mode) => {
      const folder = newFolder();
      const { expected } = uninterrupted(folder, mode);
      const tally = { crashes: 0, powerCuts: 0, begun: 0, repeated: 0, doubted: 0 };
      for (let seed = 1; seed <= schedules; seed += 1) {
        await expect(crashing(folder, mode, seed, expected, tally)).resolves.toBeUndefined();
      }
      process.stdout.write(`  ${mode}: ${JSON.stringify(tally)}\n`);
      expect(tally.crashes).toBeGreaterThan(schedules);
      expect(tally.powerCuts).toBeGreaterThan(schedules / 4);
      expect(tally.repeated).toBeGreaterThan(0);
      expect(tally.doubted > 0).toBe(mode === 'durable');
    },
    1_200_000,
  );
});

/** What had been done outside by a crash after which these outcomes are known. */
function outsideUpTo(expected: Expected, run: RunId, answered: ReadonlySet<string>): Outside {
  const outside = new Outside();
  for (const key of expected.effectKeys) {
    if (answered.has(`${run}${key}`)) outside.effects.set(`${run}${key}`, 1);
  }
  return outside;
}

interface CrashTally {
  crashes: number;
  powerCuts: number;
  /** Runs that a crash took before anybody was told of them. */
  begun: number;
  /** Effects that came again under their key, because their outcome was not durable. */
  repeated: number;
  /** Effects that a crash left to a human. */
  doubted: number;
}

/** One schedule: a run through crashes to its end. */
async function crashing(
  folder: string,
  mode: JournalMode,
  seed: number,
  expected: Expected,
  tally: CrashTally,
): Promise<void> {
  const random = seededRandom(seed);
  let disk = new SimulatedDisk();
  let run: RunId | null = null;
  let outside = new Outside();
  for (let life = 0; ; life += 1) {
    // Later lives get longer, so that every schedule ends.
    let left = Math.floor(random() * (12 + 6 * life));
    disk.decide = () => {
      left -= 1;
      if (left < 0) throw new Error('the power is gone');
      return 'done';
    };
    let world: World | null = null;
    try {
      world = openWorld(folder, disk, mode);
      const known: boolean = run !== null && world.follower.index.get(run) !== undefined;
      if (!known) {
        // (E1) Who lost the run has done nothing for it, unless the journal promises less.
        if (mode === 'durable') expect(outside.effects.size).toBe(0);
        outside = new Outside();
        tally.begun += 1;
        run = world.start(pipelineFor(mode), ['one', 'two']);
      } else if (run !== null && world.follower.index.open().length > 0) {
        const answered = answeredKeys(folder, disk);
        await resume(world, run);
        expectNoneAgain(world, answered);
      }
      playOn(world, outside, random);
      if (run === null) throw new Error('a run was begun');
      expectSameEnd(world, run, outside, expected);
      for (const times of outside.effects.values()) tally.repeated += times - 1;
      tally.doubted += outside.doubted;
      world.close();
      return;
    } catch (error) {
      if (left >= 0) throw error;
      tally.crashes += 1;
      const cut = random() < 0.7;
      if (cut) tally.powerCuts += 1;
      disk = cut ? disk.afterCrash(random) : disk.afterKill();
    }
  }
}
