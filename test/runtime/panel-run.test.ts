/** Answers that a panel examines, in a whole runtime with the embedded model and the real sandbox. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { StepResult } from '../../src/actors/step-result.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { EventView } from '../../src/runtime/views.ts';
import { makePanelDesk } from './panels.ts';
import { openRuntime, runToEnd, untilEvents } from './running.ts';

function reading(dataDirectory: string) {
  const readOnly = openReadOnly(dataDirectory);
  onTestFinished(() => readOnly.close());
  return readOnly;
}

function eventsOf(runtime: Runtime, id: string): readonly EventView[] {
  return runtime.events(id, { from: 1, limit: 1_000 });
}

/** Results by document. */
function resultsOf(runtime: Runtime, id: string): StepResult[] {
  return eventsOf(runtime, id)
    .filter(({ event }) => event.type === 'step-done')
    .sort((a, b) => a.actor.localeCompare(b.actor))
    .map(({ event }) => event.result as unknown as StepResult);
}

async function examined(validate: JsonObject, more: JsonObject = {}) {
  const { dataDirectory, request } = makePanelDesk(validate, more);
  const runtime = await openRuntime(dataDirectory);
  const run = await runToEnd(runtime, request);
  expect(run.status).toBe('succeeded');
  expect(await reading(dataDirectory).replay(run.id)).toMatchObject({
    equal: true,
    events: run.events,
    stateHash: run.stateHash,
  });
  return { dataDirectory, request, runtime, run, results: resultsOf(runtime, run.id) };
}

describe('with the embedded model', () => {
  test('a vote confirms what every sample says, and two runs share the result', async () => {
    const { runtime, request, run, results } = await examined({ pattern: 'vote', samples: 4 });
    expect(results).toMatchObject([
      {
        verdict: 'accepted',
        output: 'Leeds',
        attempts: 1,
        validation: { generations: 4, evidence: ['5 of 5 answers agree on "Leeds".'] },
      },
      { verdict: 'accepted', output: '73' },
    ]);
    const tokens = results.reduce((sum, each) => sum + (each.validation?.promptTokens ?? 0), 0);
    expect(tokens).toBeGreaterThan(100);
    expect(run.usage.generations).toBe(10);
    expect(run.usage.promptTokens).toBeGreaterThan(tokens);
    expect((await runToEnd(runtime, request)).resultHash).toBe(run.resultHash);
  });

  test('a vote that finds no agreement sends the answer back, and then to a human', async () => {
    const { run, results } = await examined(
      { pattern: 'vote', samples: 12, temperature: 2, agreement: 1 },
      { temperature: 1.5 },
    );
    expect(run.progress.handedToHuman).toBe(2);
    expect(run.usage.interventions).toBe(2);
    for (const result of results) {
      expect(result).toMatchObject({ verdict: 'flagged', attempts: 2, validation: { panels: 2 } });
      expect(result.reasons).toEqual([expect.stringMatching(/^Too few agree: \d+ of 13 answers/)]);
    }
  });

  test('a critic supports an answer with a quote', async () => {
    const { results } = await examined({ pattern: 'critic', critic: 'critic' });
    expect(results[0]).toMatchObject({
      verdict: 'accepted',
      output: 'Leeds',
      validation: { pattern: 'critic', generations: 1 },
    });
    expect(results[0]?.validation?.evidence[0]).toMatch(/^critic says \{.*"supported":true\}\.$/);
  });

  test('a critic that objects is a doubt, with its words at the human', async () => {
    const { results } = await examined({ pattern: 'critic', critic: 'prover' });
    expect(results[1]).toMatchObject({
      verdict: 'flagged',
      output: '73',
      reasons: [
        expect.stringMatching(
          /^Not confirmed: prover says \{.*\} \(The critic quotes "Neema is in the research team\.", which does not have "73"\.\)\.$/,
        ),
      ],
    });
  });

  test('a debate has its rounds and ends with the judge', async () => {
    const { results } = await examined({
      pattern: 'debate',
      opponents: ['critic', 'opponent'],
      judge: 'judge',
      rounds: 2,
    });
    for (const { validation } of results) {
      expect((validation?.generations ?? 0) % 5).toBe(0);
      expect(validation?.evidence.map((line) => line.split(' ')[0])).toEqual([
        'critic',
        'opponent',
        'judge',
      ]);
    }
  });

  test('a program in the sandbox finds an answer that does not stand in the document', async () => {
    const source = "input.document.includes('lives in ' + input.answer) || 'no such place'";
    const { results } = await examined({ pattern: 'code', source });
    expect(results).toMatchObject([
      { verdict: 'accepted', output: 'Leeds', validation: { programs: 1, generations: 0 } },
      { verdict: 'flagged', reasons: ['The program says "no such place".'] },
    ]);
  });

  test('a program that another agent chose runs as well', async () => {
    const { results } = await examined({ pattern: 'code', agent: 'coder' });
    expect(results).toMatchObject([
      { verdict: 'accepted', validation: { programs: 1, generations: 1 } },
      { verdict: 'accepted', validation: { programs: 1, generations: 1 } },
    ]);
  });

  test('a program that does not end is stopped, and is a doubt', async () => {
    const { results } = await examined(
      { pattern: 'code', source: 'for (;;);' },
      { limits: { timeoutMs: 1_500 }, supervise: { retries: 0 } },
    );
    for (const { reasons, verdict } of results) {
      expect(verdict).toBe('flagged');
      expect(reasons).toEqual([expect.stringMatching(/^The program failed: /)]);
    }
  });

  test('samples of a vote are batched by a model with several sequences', async () => {
    const { dataDirectory, request } = makePanelDesk({ pattern: 'vote', samples: 8 });
    const runtime = await openRuntime(dataDirectory, { model: { sequences: 8 } });
    const run = await runToEnd(runtime, request);
    expect(resultsOf(runtime, run.id)).toMatchObject([{ output: 'Leeds' }, { output: '73' }]);
    expect(await reading(dataDirectory).replay(run.id)).toMatchObject({ equal: true });
  });
});

describe('a fork in the middle of a vote', () => {
  test('has the votes that its parent came to, and ends alike; another temperature asks anew', async () => {
    const { dataDirectory, runtime, run } = await examined({ pattern: 'vote', samples: 4 });
    const events = eventsOf(runtime, run.id);
    const at = events.find(
      ({ actor, event }) => actor.includes('/panel-') && event.type === 'outcome',
    )?.sequence;
    if (at === undefined) throw new Error('a vote was given');
    const fork = async (set: JsonObject) => {
      const { id } = await runtime.fork(run.id, { at, set });
      const forked = await runtime.ended(id);
      expect(forked.status).toBe('succeeded');
      expect(await reading(dataDirectory).replay(id)).toMatchObject({ equal: true });
      return forked;
    };
    expect((await fork({})).resultHash).toBe(run.resultHash);
    const other = await fork({ 'reader.model': 'tiny-agent' });
    const again = eventsOf(runtime, other.id).filter(
      ({ actor, event }) => actor.includes('/panel-') && event.type === 'amend',
    );
    expect(again.some(({ intentions }) => intentions.length > 0)).toBe(true);
  });
});

describe('an early end', () => {
  test('by a cancel in the middle of a vote ends the panel in order', async () => {
    const { dataDirectory, request } = makePanelDesk(
      { pattern: 'vote', samples: 16, temperature: 2 },
      { limits: { maxTokens: 400 } },
    );
    const runtime = await openRuntime(dataDirectory);
    const { id } = await runtime.startRun(request);
    await new Promise<void>((resolve) => {
      const stop = runtime.subscribe(id, 1, ({ actor, event }) => {
        if (!actor.includes('/panel-') || event.type !== 'outcome') return;
        stop();
        resolve();
      });
    });
    await runtime.cancel(id);
    const run = await runtime.ended(id);
    expect(run.status).toBe('cancelled');
    await untilEvents(runtime, id, run.events);
    const types = eventsOf(runtime, id).map(({ event }) => event.type);
    expect(types).toContain('panel-cancelled');
    expect(await reading(dataDirectory).replay(id)).toMatchObject({ equal: true });
  });

  test('without `validate` a run names no panel', async () => {
    const { dataDirectory, request } = makePanelDesk(null);
    const runtime = await openRuntime(dataDirectory);
    const run = await runToEnd(runtime, request);
    for (const result of resultsOf(runtime, run.id)) {
      expect(Object.keys(result).sort()).toEqual(
        ['attempts', 'confidence', 'output', 'reasons', 'verdict'].sort(),
      );
    }
  });
});
