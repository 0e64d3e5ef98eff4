/**
 * Goal: a run survives that its process group is killed, at any instant, and
 * comes to the result of an undisturbed one, with no effect applied twice.
 *
 * Method: the length of an undisturbed run is measured first; the instants are
 * random within its first part, from a fixed seed, and every failure names
 * them. A run that ended before its instant was not killed there, so there are runs
 * until enough kills have met one, each round earlier than the one before.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deskPipeline, deskTexts, testFolder } from '../runtime/running.ts';
import { randomInstants, runKilled } from './kill-run.ts';

const seed = 20;
const killsMin = 3;
const roundsMax = 5;

function writeDesk(documents: number) {
  const folder = testFolder();
  for (const name of ['input', 'workspace']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'workspace', 'costs.csv'), 'rent,1200');
  // JSON is YAML.
  writeFileSync(join(folder, 'desk.yaml'), JSON.stringify(deskPipeline('workspace')));
  deskTexts(documents).forEach((text, index) => {
    writeFileSync(join(folder, 'input', `m${index}.txt`), text);
  });
  return {
    pipeline: join(folder, 'desk.yaml'),
    input: join(folder, 'input'),
    runMsMax: 60_000,
  };
}

test('kill -9 of the whole process group in the middle of a run', {
  timeout: 240_000,
}, async () => {
  const plan = writeDesk(8);
  const undisturbed = await runKilled({ ...plan, instants: [] });
  expect(undisturbed).toMatchObject({ kills: 0, problems: [], run: { status: 'succeeded' } });
  const lengthMs = (undisturbed.run.endedAt ?? 0) - undisturbed.run.createdAt;
  const random = randomInstants(seed);

  let kills = 0;
  for (let round = 1; round <= roundsMax && kills < killsMin; round += 1) {
    const withinMs = lengthMs / (2 * round);
    const instants = Array.from({ length: killsMin - kills }, () => random(withinMs));
    const killed = await runKilled({ ...plan, instants });
    kills += killed.kills;
    const where = `killed ${killed.kills} times, at ${instants.join(' and ')} ms of ${lengthMs}`;
    expect(killed.problems, where).toEqual([]);
    expect(killed.run.status, where).toBe('succeeded');
    expect(killed.run.resultHash, where).toBe(undisturbed.run.resultHash);
    expect(killed.report, where).toBe(undisturbed.report);
    // A generation that the kill cut off is made again, but folded once.
    expect(killed.run.usage, where).toEqual(undisturbed.run.usage);
  }
  expect(kills, `of a run of ${lengthMs} ms`).toBeGreaterThanOrEqual(killsMin);
});
