/**
 * Goal: wherever in its work a host dies, the run comes to the result of an
 * undisturbed one; an event that every host dies at takes its own run along and
 * nothing else.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { deskPipeline, deskTexts, testFolder } from '../runtime/running.ts';
import type { HostKilledRun } from './kill-host.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

async function fatalRun(
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Promise<HostKilledRun> {
  const args = ['--import', here('fatal-points.ts'), here('fatal-run.ts')];
  const desk = [join(folder, 'desk.yaml'), join(folder, 'input')];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, ...desk], {
    env: { ...process.env, FATAL_FOLDER: join(folder, 'fatal'), ...env },
    maxBuffer: 16 * 1024 * 1024,
  });
  return JSON.parse(stdout) as HostKilledRun;
}

function writeDesk(documents: number): string {
  const folder = testFolder();
  for (const name of ['input', 'workspace', 'fatal']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'workspace', 'costs.csv'), 'rent,1200');
  writeFileSync(join(folder, 'desk.yaml'), JSON.stringify(deskPipeline('workspace')));
  deskTexts(documents).forEach((text, index) => {
    writeFileSync(join(folder, 'input', `m${index}.txt`), text);
  });
  return folder;
}

test.for([
  ['before-append:4', 'after-append:5', 'claimed:9', 'published:12', 'claimed:10', 'published:15'],
  ['mail-taken:9', 'outcome-taken:2', 'adopting:1', 'adopting:3', 'after-append:1', 'claimed:1'],
])('one host after the other dies at %o', { timeout: 120_000 }, async (points) => {
  const folder = writeDesk(3);
  const plain = await fatalRun(folder);
  const killed = await fatalRun(folder, { FATAL_POINTS: points.join(',') });
  expect(readdirSync(join(folder, 'fatal')).length).toBe(points.length);
  // Two deaths may share a recovery.
  expect(killed.restarts).toBeGreaterThanOrEqual(points.length - 2);
  expect(killed.problems).toEqual([]);
  expect(killed.run.status).toBe('succeeded');
  expect(killed.run.resultHash).toBe(plain.run.resultHash);
  expect(killed.run.usage).toEqual(plain.run.usage);
  expect(killed.report).toBe(plain.report);
});

test('an event that every host dies at suspends its run', { timeout: 120_000 }, async () => {
  const actor = 'run/document-2/supervisor/route';
  const { run, restarts, problems } = await fatalRun(writeDesk(2), { FATAL_ACTOR: actor });
  expect(run).toMatchObject({ status: 'suspended', error: { code: 'EVENT_FATAL' } });
  expect(run.error?.message).toContain(actor);
  // The third restart may still be under way: the run is suspended before it.
  expect(restarts).toBeGreaterThanOrEqual(2);
  expect(problems.filter((problem) => !problem.endsWith('is open.'))).toEqual([]);
});
