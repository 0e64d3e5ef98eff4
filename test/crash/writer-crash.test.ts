/**
 * The journal on a disk that loses, reorders, shortens and refuses.
 * JOURNAL_SCHEDULES says how many random schedules are tried.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { seededRandom } from './seeded-random.ts';
import { newTally, runSchedule } from './writer-schedules.ts';

const schedules = Number(process.env.JOURNAL_SCHEDULES ?? 1_000);
const lives = 4;

test.each(['durable', 'relaxed'] as const)(
  `in ${schedules} random schedules a %s journal keeps all that it promised, and finds itself sound`,
  (mode) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'journal'));
    const tally = newTally();
    for (let seed = 1; seed <= schedules; seed += 1) {
      const random = seededRandom(seed);
      const problem = runSchedule({ random, mode, folder, lives }, tally);
      if (problem !== null) throw new Error(`schedule ${seed}: ${problem}`);
    }
    process.stdout.write(`  ${mode}: ${JSON.stringify(tally)}\n`);
    // The schedules did what they are for.
    expect(tally.lives).toBe(schedules * lives);
    expect(tally.acknowledged).toBeGreaterThan(schedules);
    for (const what of ['lost', 'powerCuts', 'kills', 'failures', 'bytesCut'] as const) {
      expect(tally[what]).toBeGreaterThan(schedules / 10);
    }
    expect(tally.segments).toBeGreaterThan(schedules);
  },
  600_000,
);
