/** `claw runs show` and `claw release`, through the real command, on runs that wait for a person. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import type { InterventionView, PauseView } from '../../src/runtime/views.ts';
import { generated, World } from '../runtime/world.ts';
import { claw, expectFailure, oneObject, temporaryFolder } from './claw-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);
const data = join(folder, 'data');
let one = '';
let two = '';
let plain = '';

const pipeline = {
  name: 'letters',
  agents: {
    writer: {
      prompt: 'Sum up: {{document.text}}',
      supervise: {
        retries: 0,
        contradiction: true,
        rules: [
          { when: 'contradiction', do: 'resample', temperature: 0.9 },
          { when: 'contradiction', do: 'pause' },
        ],
      },
    },
  },
  steps: [{ id: 'sum', agent: 'writer', map: 'documents' }],
};
const letter = 'The rent of the office rises to 1,200 EUR.';

beforeAll(() => {
  openDataDirectory(data, 0).release();
  const world = new World(data);
  one = world.start(pipeline, [letter]);
  two = world.start(pipeline, [letter, letter]);
  plain = world.start({ ...pipeline, agents: { writer: { prompt: 'x' } } }, ['x']);
  world.play((operation) =>
    operation === 'human.decide'
      ? { status: 'unknown', error: { code: 'OUTCOME_UNKNOWN', message: 'waits' } }
      : generated('The rent of the office rises to 2,100 EUR.'),
  );
  world.close();
});

interface Shown {
  readonly status: string;
  readonly paused?: readonly PauseView[];
  readonly interventions: readonly InterventionView[];
}

async function shown(run: string): Promise<Shown> {
  const { status, stdout } = await claw(['runs', 'show', run, '--json'], { data });
  expect(status).toBe(0);
  return oneObject(stdout) as unknown as Shown;
}

test('shows what the supervisor did and why, and who waits', async () => {
  const { status, paused, interventions } = await shown(one);
  expect(status).toBe('running');
  expect(paused).toEqual([
    { key: expect.stringContaining(one), actor: 'run/document-1/supervisor', step: 'sum' },
  ]);
  expect(interventions).toMatchObject([
    { did: 'resample', rule: 0, attempt: 0, next: { temperature: 0.9 } },
    { did: 'pause', rule: 1, attempt: 1, next: null },
  ]);
  const { stdout } = await claw(['runs', 'show', one], { data });
  expect(stdout).toContain(`claw release ${paused?.[0]?.key}`);
  expect(stdout).toMatch(
    /resample \(attempt 1, temperature 0\.9\) +contradiction: The answer says/,
  );
  const { stdout: none } = await claw(['runs', 'show', plain], { data });
  expect(none).not.toContain('EVIDENCE');
});

test('refuses what it cannot do', async () => {
  const release = (...words: string[]) => claw(['release', ...words, '--json'], { data });
  expectFailure(await release(one, '--do', 'dance'), 'USAGE', /retry, accept, hand-over, stop/);
  expectFailure(await release(one, '--do', 'stop', '--prompt', 'x'), 'USAGE', /--do retry/);
  expectFailure(await release(plain), 'EFFECT_NOT_FOUND', /Nothing of the run/);
  expectFailure(await release(two), 'EFFECT_NOT_FOUND', /Several agents/);
  expectFailure(await release(`${one}:run:1:0`), 'EFFECT_NOT_FOUND', /no effect/);
});

test('a release lets the run go on to its end', async () => {
  const words = ['release', one, '--do', 'hand-over', '--reason', 'The amount is wrong.'];
  const ended = await claw(words, { data });
  expect(ended).toMatchObject({ status: 0, stdout: expect.stringContaining('succeeded') });
  expect(ended.stderr).toContain('is over: hand-over');
  const { interventions, ...run } = await shown(one);
  expect(run).not.toHaveProperty('paused');
  expect(interventions.at(-1)).toMatchObject({
    did: 'pause',
    decided: 'hand-over',
    findings: [{ source: 'human', evidence: 'The amount is wrong.' }],
  });
  const replay = await claw(['replay', one], { data });
  expect(replay.stdout).toContain('Replay: equal');
});
