/** Rules for supervisors in a whole runtime: what they do, what the journal says, what survives. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { RunView } from '../../src/runtime/views.ts';
import { deskPipeline, deskTexts, makeDesk, openRuntime, runToEnd } from './running.ts';
import { decided, letterModel, makeLetters, right, untilPaused, wrong } from './watched-runs.ts';

function reading(dataDirectory: string) {
  const journal = openReadOnly(dataDirectory);
  onTestFinished(() => journal.close());
  return journal;
}

async function expectEqual(dataDirectory: string, { id, events }: RunView): Promise<void> {
  const journal = reading(dataDirectory);
  expect(await journal.replay(id)).toMatchObject({ equal: true, events });
  expect(await journal.replay(id, 'xstate')).toMatchObject({ equal: true, events });
}

function report({ outputs }: RunView): string {
  return readFileSync(join(String(outputs?.workspace), 'report.md'), 'utf8');
}

const evidence = [
  {
    source: 'contradiction',
    evidence: expect.stringContaining('The answer says "2,100 EUR"; the document says: The rent'),
  },
];

describe('interventions', () => {
  test('come in the order of the rules, each with its evidence, and replay', async () => {
    const model = await letterModel((prompt, name) =>
      name === 'large' && prompt.startsWith('Facts') ? right : wrong,
    );
    const { dataDirectory, request } = makeLetters(
      [
        { when: 'contradiction', do: 'resample', temperature: 0.9 },
        { when: 'contradiction', do: 'switch-model', model: 'large' },
        { when: 'contradiction', do: 'ground', prompt: 'Facts: {{facts}}' },
      ],
      { agent: { model: 'large' } },
    );
    const runtime = await openRuntime(dataDirectory, model.settings);
    const run = await runToEnd(runtime, request);
    expect(run).toMatchObject({ status: 'succeeded', usage: { generations: 4, interventions: 3 } });
    expect(report(run)).toBe(`accepted: ${right}\n`);
    expect(model.calls.map(({ body }) => [body.model, body.temperature])).toEqual([
      ['large', 0],
      ['large', 0.9],
      ['large', 0.7],
      ['large', 0.7],
    ]);
    const found = runtime.interventions(run.id);
    expect(found).toMatchObject([
      { rule: 0, did: 'resample', attempt: 0, findings: evidence, next: { temperature: 0.9 } },
      { rule: 1, did: 'switch-model', attempt: 1, findings: evidence, next: { model: 'large' } },
      { rule: 2, did: 'ground', attempt: 2, findings: evidence },
    ]);
    expect(found[2]?.next?.prompt).toMatch(/^Facts: The rent of the office rises to 1,200 EUR/);
    expect(reading(dataDirectory).interventions(run.id)).toEqual(found);
    await expectEqual(dataDirectory, run);
  });

  test('another model is asked in the next attempt', async () => {
    const model = await letterModel((_, name) => (name === 'large' ? right : wrong));
    const { dataDirectory, request } = makeLetters([
      { when: 'any', do: 'switch-model', model: 'large' },
    ]);
    const runtime = await openRuntime(dataDirectory, model.settings);
    const run = await runToEnd(runtime, request);
    expect(model.calls.map(({ body }) => body.model)).toEqual(['m', 'large']);
    expect(report(run)).toBe(`accepted: ${right}\n`);
    await expectEqual(dataDirectory, run);
  });

  test('a critic of the pipeline decides', async () => {
    const model = await letterModel((prompt) => {
      if (!prompt.startsWith('Judge')) return wrong;
      expect(prompt).toContain(`Judge ${wrong} `);
      expect(prompt).toContain('1,200 EUR');
      return '{"accept":false,"reason":"The amount is another."}';
    });
    const { dataDirectory, request } = makeLetters(
      [
        { when: 'contradiction', do: 'critic', agent: 'judge' },
        { when: 'contradiction', do: 'human' },
      ],
      {
        agents: {
          judge: {
            prompt: 'Judge {{answer}} {{reasons}}',
            output: {
              type: 'object',
              properties: { accept: { type: 'boolean' }, reason: { type: 'string' } },
              required: ['accept'],
            },
          },
        },
      },
    );
    const runtime = await openRuntime(dataDirectory, model.settings);
    const run = await runToEnd(runtime, request);
    expect(runtime.interventions(run.id)).toMatchObject([
      { did: 'critic', findings: evidence, decided: null, next: null },
      {
        did: 'human',
        findings: [...evidence, { source: 'judge', evidence: 'The amount is another.' }],
      },
    ]);
    expect(report(run)).toBe('escalated: \n');
    expect(run).toMatchObject({ progress: { handedToHuman: 1 } });
    await expectEqual(dataDirectory, run);
  });

  test('one that stops the run ends the other documents too, and says why', async () => {
    const model = await letterModel((prompt) => (prompt.includes('1,200') ? wrong : right));
    const { dataDirectory, request } = makeLetters([{ when: 'any', do: 'stop' }], {
      texts: ['The rent of the office rises to 1,200 EUR.', 'The sun is out.'],
    });
    const runtime = await openRuntime(dataDirectory, model.settings);
    const run = await runToEnd(runtime, request);
    expect(run).toMatchObject({
      status: 'failed',
      error: { code: 'RUN_STOPPED', message: expect.stringContaining('2,100 EUR') },
    });
    expect(runtime.interventions(run.id)).toMatchObject([{ did: 'stop', findings: evidence }]);
    await expectEqual(dataDirectory, run);
  });

  test('of pipelines without rules are listed with what made them doubt', async () => {
    const desk = makeDesk(deskTexts(1));
    const pipeline = deskPipeline('');
    const { router } = pipeline.agents as { router: object };
    const request = {
      ...desk.request,
      pipeline: {
        ...desk.request.pipeline,
        agents: {
          ...(desk.request.pipeline.agents as object),
          router: { ...router, checks: [{ use: 'confidence', with: { min: 2 } }] },
        },
      },
    };
    const runtime = await openRuntime(desk.dataDirectory);
    const run = await runToEnd(runtime, request as never);
    const found = runtime.interventions(run.id);
    expect(found).toMatchObject([
      { rule: null, did: 'retry', attempt: 0, next: { attempt: 1, temperature: 0.4 } },
      { rule: null, did: 'retry', attempt: 1, next: { attempt: 2, temperature: 0.7 } },
      { rule: null, did: 'settle', attempt: 2, next: null },
    ]);
    expect(found[0]?.findings).toMatchObject([{ source: 'check' }]);
  });
});

describe('a pause', () => {
  test('of the embedded model waits over a restart, is seen, and goes on as a person says', async () => {
    const desk = makeDesk(deskTexts(1));
    const { router, ...others } = desk.request.pipeline.agents as Record<string, object>;
    const supervise = {
      retries: 0,
      rules: [
        { when: 'confidence', do: 'pause', max: 2 },
        { when: 'confidence', do: 'human' },
      ],
    };
    const checks = [{ use: 'confidence', with: { min: 2 } }];
    const agents = { ...others, router: { ...router, supervise, checks } };
    const request = { ...desk.request, pipeline: { ...desk.request.pipeline, agents } };
    const before = await openRuntime(desk.dataDirectory);
    const { id } = await before.startRun(request as never);
    const [first] = await untilPaused(before, id);
    expect(first).toMatchObject({ actor: 'run/document-1/supervisor', step: 'route' });
    expect(before.health()).toMatchObject({ paused: 1 });
    expect(before.interventions(id)).toMatchObject([
      { did: 'pause', when: 'confidence', findings: [{ source: 'confidence' }] },
    ]);
    await before.stop();

    const after = await openRuntime(desk.dataDirectory);
    expect(await untilPaused(after, id)).toEqual([first]);
    const key = first?.key ?? '';
    await expect(after.resolve(id, { key, outcome: decided('perhaps') })).rejects.toMatchObject({
      code: 'OUTCOME_INVALID',
    });
    const prompt = 'Route this request to one of: billing, support. Request: Pay the bill';
    await after.resolve(id, { key, outcome: decided('retry', prompt), reason: 'clearer' });
    const [second] = await untilPaused(after, id);
    expect(second?.key).not.toBe(key);
    // Done, without more, is another attempt; failed is none.
    await after.resolve(id, { key: second?.key ?? '', outcome: 'done' });
    const run = await after.ended(id);
    expect(run.status).toBe('succeeded');
    expect(run).not.toHaveProperty('paused');
    expect(after.health()).toMatchObject({ paused: 0 });
    expect(after.interventions(id)).toMatchObject([
      { did: 'pause', decided: null },
      {
        did: 'pause',
        decided: 'retry',
        findings: [{ source: 'human', evidence: 'clearer' }],
        next: { prompt },
      },
      { did: 'pause', decided: null, attempt: 1 },
      { did: 'pause', decided: 'retry', next: { attempt: 2, prompt: null } },
      { did: 'human', attempt: 2 },
    ]);
    await expectEqual(desk.dataDirectory, run);
  });

  test('of a fork is its own: the parent waits on, and either is released by itself', async () => {
    const model = await letterModel(() => wrong);
    const { dataDirectory, request } = makeLetters([{ when: 'any', do: 'pause' }]);
    const runtime = await openRuntime(dataDirectory, model.settings);
    const { id } = await runtime.startRun(request);
    const [pause] = await untilPaused(runtime, id);
    const at = runtime.run(id).events;
    const fork = await runtime.fork(id, { at });
    const [own] = await untilPaused(runtime, fork.id);
    expect(own?.key).not.toBe(pause?.key);
    await runtime.resolve(fork.id, { key: own?.key ?? '', outcome: decided('accept') });
    const accepted = await runtime.ended(fork.id);
    expect(report(accepted)).toBe(`accepted: ${wrong}\n`);
    expect(runtime.run(id)).toMatchObject({ status: 'running', paused: [pause] });
    await runtime.resolve(id, { key: pause?.key ?? '', outcome: decided('hand-over') });
    const handed = await runtime.ended(id);
    expect(report(handed)).toBe('escalated: \n');
    await expectEqual(dataDirectory, accepted);
    await expectEqual(dataDirectory, handed);
    // Behind the release a fork knows what the person has said.
    const later = await runtime.fork(id, { at: handed.events - 1 });
    expect(await runtime.ended(later.id)).toMatchObject({ resultHash: handed.resultHash });
  });

  test('is over when the run is cancelled', async () => {
    const model = await letterModel(() => wrong);
    const { dataDirectory, request } = makeLetters([{ when: 'any', do: 'pause' }]);
    const runtime = await openRuntime(dataDirectory, model.settings);
    const { id } = await runtime.startRun(request);
    await untilPaused(runtime, id);
    await runtime.cancel(id);
    const run = await runtime.ended(id);
    expect(run.status).toBe('cancelled');
    expect(run).not.toHaveProperty('paused');
    await expectEqual(dataDirectory, run);
  });

  test('that a relaxed journal could forget is refused, and the next rule comes', async () => {
    const model = await letterModel(() => wrong);
    const { dataDirectory, request } = makeLetters([
      { when: 'any', do: 'pause' },
      { when: 'any', do: 'human' },
    ]);
    const runtime = await openRuntime(dataDirectory, { ...model.settings, journal: 'relaxed' });
    const run = await runToEnd(runtime, request);
    expect(runtime.interventions(run.id)).toMatchObject([
      { did: 'pause' },
      {
        did: 'human',
        findings: [...evidence, { source: 'pause', evidence: expect.stringContaining('relaxed') }],
      },
    ]);
  });
});
