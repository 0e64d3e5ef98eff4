/**
 * Goal: one data directory never has two owners, and never none while somebody
 * asks. Method: several real processes take the lock of the same directory at
 * the same moment, hundreds of times, each time over what a killed owner left.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from './journal-fixture.ts';
import { startRacers } from './lock-racers.ts';

const rounds = 300;
const processes = 4;

describe('processes that find a stale lock at the same moment', () => {
  test('get exactly one owner, every time', async () => {
    const root = temporaryFolder();
    const dead = spawnSync(process.execPath, ['--version']).pid;
    const stale = JSON.stringify({ pid: dead, processStart: '1', startedAtMs: 1, port: 1 });
    const racers = await startRacers(processes);
    for (let round = 0; round < rounds; round += 1) {
      const folder = join(root, String(round));
      mkdirSync(folder);
      writeFileSync(join(folder, 'lock'), stale);
      // In every other round the file that the system locks is there already, too.
      if (round % 2 === 0) writeFileSync(join(folder, 'lock.sqlite'), '');
      const results = await Promise.all(racers.map((racer) => racer.take(folder)));
      expect(results.toSorted(), `round ${round}`).toEqual(['locked', 'locked', 'locked', 'owner']);
      await Promise.all(racers.map((racer) => racer.release()));
    }
  });

  test('get the next owner each time that one is killed', async () => {
    const folder = temporaryFolder();
    let racers = await startRacers(processes);
    while (racers.length > 0) {
      const results = await Promise.all(racers.map((racer) => racer.take(folder)));
      expect(results.filter((result) => result === 'owner')).toHaveLength(1);
      const owner = racers[results.indexOf('owner')];
      await owner?.kill();
      racers = racers.filter((racer) => racer !== owner);
    }
  });
});
