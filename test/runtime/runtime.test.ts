/** The whole runtime: real threads, the embedded model, the sandbox, the disk. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { EventView, RunView, StartRunRequest, TokenView } from '../../src/runtime/views.ts';
import { deskTexts, makeDesk, openRuntime, runToEnd } from './running.ts';

function reportOf(run: RunView): string {
  const { workspace, report } = run.outputs ?? {};
  return readFileSync(join(String(workspace), String(report)), 'utf8');
}

function allEvents(runtime: Runtime, run: RunView): readonly EventView[] {
  return runtime.events(run.id, { from: 1, limit: 1_000 });
}

function outcomesOf(events: readonly EventView[], tag: string): unknown[] {
  return events.flatMap(({ event }) =>
    event.type === 'outcome' && event.tag === tag ? [event.outcome] : [],
  );
}

describe('a run of the embedded model', () => {
  test('really calculates, reads and writes, streams its tokens, and replays beside the server', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(2));
    const runtime = await openRuntime(dataDirectory);
    const tokens: TokenView[] = [];
    const stop = runtime.onToken((token) => tokens.push(token));
    const started = await runtime.startRun(request);
    expect(started).toMatchObject({ status: 'running', resultHash: null, outputs: null });
    const run = await runtime.ended(started.id);
    stop();
    expect(run).toMatchObject({ status: 'succeeded', error: null, pipeline: 'desk' });
    expect(reportOf(run)).toMatch(
      /^m000.txt: (billing|support), 55, rent,1200\nm001.txt: \w+, 56, rent,1200\n$/,
    );

    const events = allEvents(runtime, run);
    expect(events.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: run.events }, (_, index) => index + 1),
    );
    expect(events.at(-1)?.stateHash).toBe(run.stateHash);
    expect(outcomesOf(events, 'tool')).toEqual(
      expect.arrayContaining([
        { status: 'completed', value: { sum: 55 } },
        { status: 'completed', value: expect.objectContaining({ text: 'rent,1200' }) },
      ]),
    );
    expect(run.usage).toMatchObject({ generations: 6, toolCalls: 4, interventions: 0 });
    expect(run.progress).toEqual({ stepsDone: 7, stepsTotal: 7, handedToHuman: 0 });

    const agents = new Set(tokens.map(({ actor }) => actor));
    expect(agents.size).toBe(6);
    expect(tokens.every((token) => token.run === run.id)).toBe(true);
    const routed = tokens.filter(({ actor }) => actor.endsWith('document-1/supervisor/route'));
    const answer = outcomesOf(
      events.filter(({ actor }) => actor.endsWith('document-1/supervisor/route')),
      'generate',
    )[0] as { value: { text: string } };
    expect(routed.map(({ text }) => text).join('')).toBe(answer.value.text);
    expect(run.usage.answerTokens).toBeGreaterThan(20);

    const readOnly = openReadOnly(dataDirectory);
    onTestFinished(() => readOnly.close());
    expect(readOnly.run(run.id)).toEqual(runtime.run(run.id));
    expect(await readOnly.replay(run.id)).toEqual({
      run: run.id,
      events: run.events,
      equal: true,
      stateHash: run.stateHash,
      divergence: null,
    });
    expect(() => runtime.run('nobody')).toThrowError(
      expect.objectContaining({ code: 'RUN_NOT_FOUND' }),
    );
  });

  test('same seed: another id and state hash, the same result hash and report; other words, another result', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(2));
    const runtime = await openRuntime(dataDirectory);
    const first = await runToEnd(runtime, request);
    const second = await runToEnd(runtime, request);
    expect(second.resultHash).toBe(first.resultHash);
    expect(reportOf(second)).toBe(reportOf(first));
    expect(second.id).not.toBe(first.id);
    const other = makeDesk(['Please add 70 and 34', 'Please add 22 and 34']);
    const third = await runToEnd(runtime, other.request);
    expect(third.resultHash).not.toBe(first.resultHash);
    expect(runtime.runs().map(({ id }) => id)).toEqual([first.id, second.id, third.id]);
    expect(runtime.health()).toMatchObject({ status: 'ok', openRuns: 0 });
  });

  test('one host worker or three, and runs side by side, make no difference to the result', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(4));
    const alone = await openRuntime(dataDirectory, { hosts: 1 });
    expect(alone.health().threads).toContain('host-0');
    expect(alone.health().threads).not.toContain('host-1');
    const one = await runToEnd(alone, request);
    await alone.stop();

    const runtime = await openRuntime(dataDirectory, { hosts: 3 });
    expect(runtime.recovered.runs).toBe(0);
    expect(runtime.run(one.id)).toEqual(one);
    const both = await Promise.all([runToEnd(runtime, request), runToEnd(runtime, request)]);
    expect(both.map(({ resultHash }) => resultHash)).toEqual([one.resultHash, one.resultHash]);
    expect(both.map(reportOf)).toEqual([reportOf(one), reportOf(one)]);
  });
});

describe('what is refused before a run begins', () => {
  test('leaves no run and the runtime unharmed', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(1));
    const { pipeline } = request;
    const runtime = await openRuntime(dataDirectory);
    const wrong: readonly [Partial<StartRunRequest>, string][] = [
      [{ seed: -1 }, 'REQUEST_INVALID'],
      [{ seed: 0.5 }, 'REQUEST_INVALID'],
      [{ seed: 2 ** 31 }, 'REQUEST_INVALID'],
      [{ input: { folder: join(dataDirectory, 'absent') } }, 'INPUT_NOT_FOUND'],
      [{ pipeline: join(dataDirectory, 'absent.yaml') }, 'PIPELINE_NOT_FOUND'],
      [{ pipeline: { ...pipeline, steps: [] } }, 'PIPELINE_INVALID'],
      [{ pipeline: { ...pipeline, input: { workspace: '/absent' } } }, 'INPUT_NOT_FOUND'],
    ];
    for (const [change, code] of wrong) {
      await expect(runtime.startRun({ ...request, ...change })).rejects.toMatchObject({ code });
    }
    expect(runtime.runs()).toEqual([]);
    expect((await runToEnd(runtime, request)).status).toBe('succeeded');
  });

  test('a data directory has one runtime at a time', async () => {
    const { dataDirectory } = makeDesk(deskTexts(1));
    const runtime = await openRuntime(dataDirectory);
    await expect(openRuntime(dataDirectory)).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_LOCKED',
    });
    await runtime.stop();
    const again = await openRuntime(dataDirectory);
    expect(again.runs()).toEqual([]);
  });
});
