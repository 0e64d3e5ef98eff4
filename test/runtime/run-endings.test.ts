import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { newRunId } from '../../src/kernel/ids.ts';
import { RunEndings } from '../../src/runtime/run-endings.ts';
import type { RunView } from '../../src/runtime/views.ts';

function ended(): RunView {
  return {
    id: newRunId(),
    pipeline: 'p',
    parent: null,
    status: 'succeeded',
    createdAt: 1,
    endedAt: 2,
    events: 1,
    stateHash: 's',
    resultHash: 'r',
    outputs: {},
    usage: { generations: 0, promptTokens: 0, answerTokens: 0, interventions: 0, toolCalls: 0 },
    progress: { stepsDone: 1, stepsTotal: 1, handedToHuman: 0 },
    error: null,
  };
}

test('everyone who waits for a run hears of its end, and nobody of another run', async () => {
  const endings = new RunEndings();
  const [view, other] = [ended(), ended()];
  const waiting = [endings.wait(view.id), endings.wait(view.id), endings.wait(other.id)];
  endings.resolve(view.id, view);
  expect(await Promise.all(waiting.slice(0, 2))).toEqual([view, view]);
  expect(endings.size).toBe(1);
  endings.resolve(other.id, other);
  expect(await waiting[2]).toBe(other);
  expect(endings.size).toBe(0);
});

test('whoever stops waiting is forgotten at once, alone, and told why', async () => {
  const endings = new RunEndings();
  const view = ended();
  const [leaving, staying] = [new AbortController(), new AbortController()];
  const gone = endings.wait(view.id, leaving.signal);
  const left = endings.wait(view.id, staying.signal);
  leaving.abort('left');
  expect(endings.size).toBe(1);
  await expect(gone).rejects.toBe('left');
  endings.resolve(view.id, view);
  expect(await left).toBe(view);
  expect(getEventListeners(staying.signal, 'abort')).toEqual([]);
  expect(endings.size).toBe(0);
  await expect(endings.wait(view.id, leaving.signal)).rejects.toBe('left');
  expect(endings.size).toBe(0);
});

test('a failure reaches all who wait', async () => {
  const endings = new RunEndings();
  const failure = new RuntimeError('JOURNAL_FAILED', 'The disk is gone.');
  const waiting = Promise.allSettled([endings.wait(newRunId()), endings.wait(newRunId())]);
  endings.fail(failure);
  expect((await waiting).map((result) => 'reason' in result && result.reason)).toEqual([
    failure,
    failure,
  ]);
  expect(endings.size).toBe(0);
});
