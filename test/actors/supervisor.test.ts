import { describe, expect, test } from 'vitest';
import { noConversation } from '../../src/actors/conversation.ts';
import type { AgentDoubtEvent, StepVariables } from '../../src/actors/event.ts';
import type { Intention } from '../../src/actors/intention.ts';
import type { ErrorMessage } from '../../src/kernel/errors.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { completed, definitionText, failed, result, started } from './machines.ts';

const self = actorId('run/document-1/supervisor');
const parent = actorId('run/document-1');
const agent = (name: string) => `${self}/${name}`;
const variables: StepVariables = {
  document: { name: 'm.txt', text: 'The key is in Bonn. The sun is out.', part: 0 },
  steps: '{}',
  items: null,
  run: { name: 'demo', seed: 7 },
};
const retryable: ErrorMessage = { code: 'INFERENCE_TIMEOUT', message: 'late', retryable: true };
const recovery = { write: { path: 'human/{{step}}', template: '{{document.text}}{{reasons}}' } };

function start(more: object = {}, supervise: object = {}) {
  const definition = definitionText({
    name: 'demo',
    agents: { worker: { prompt: 'x', supervise } },
    steps: ['one', 'two'].map((id) => ({
      id,
      agent: 'worker',
      map: 'documents',
      retry: { maxAttempts: 3, backoffMs: 100, factor: 2 },
    })),
    ...more,
  });
  const { of, intentions } = started('supervisor', {
    type: 'start',
    machine: 'supervisor',
    self,
    parent,
    definition,
    seed: 7,
  });
  expect(intentions).toEqual([]);
  return of;
}

function doubt(step: string, attempt: number): AgentDoubtEvent {
  return {
    type: 'agent-doubt',
    step,
    attempt,
    each: null,
    question: 'Where is the key?',
    detector: 'confidence',
    reasons: ['unsure'],
  };
}

function eventOf([intention]: readonly Intention[]) {
  if (intention?.kind !== 'send') throw new Error('a send is expected');
  return { to: intention.to, ...intention.event };
}

describe('starting', () => {
  test('each step gets an agent of its own with the step’s variables', () => {
    const of = start();
    for (const step of ['one', 'two']) {
      expect(of.send({ type: 'run-step', step, variables })).toEqual([
        expect.objectContaining({
          kind: 'spawn',
          machine: 'agent',
          to: agent(step),
          event: expect.objectContaining({
            self: agent(step),
            parent: self,
            step,
            variables,
            seed: 7,
          }),
        }),
      ]);
    }
  });
});

describe('doubts (S2)', () => {
  const supervise = { retries: 2, temperatures: [0.3, 0.6], grounding: 'F: {{facts}} {{reasons}}' };

  test('are answered with other parameters and the facts that matter, up to the limit', () => {
    const of = start({}, supervise);
    of.send({ type: 'run-step', step: 'one', variables });
    const grounding = 'F: The key is in Bonn. ["unsure"]';
    expect(eventOf(of.send(doubt('one', 0)))).toEqual({
      to: agent('one'),
      type: 'retry',
      attempt: 1,
      temperature: 0.3,
      seed: 8,
      grounding,
    });
    expect(eventOf(of.send(doubt('one', 1)))).toMatchObject({
      attempt: 2,
      temperature: 0.6,
      seed: 9,
    });
    expect(eventOf(of.send(doubt('one', 2)))).toEqual({ to: agent('one'), type: 'settle' });
  });

  test('may be answered with what earlier steps have found, too', () => {
    const of = start({}, { ...supervise, grounding: '{{results}}' });
    const result = (verdict: string, output: unknown) => ({ verdict, output, reasons: [] });
    const steps = JSON.stringify({
      a: result('accepted', { note: 'The key of Bonn opens two doors. The sun is hot.' }),
      b: result('escalated', 'The doors are lost.'),
    });
    of.send({ type: 'run-step', step: 'one', variables: { ...variables, steps } });
    const asked = { ...doubt('one', 0), question: 'Where is the key of the doors?' };
    expect(eventOf(of.send(asked as ReturnType<typeof doubt>))).toMatchObject({
      type: 'retry',
      grounding: 'The key of Bonn opens two doors.',
    });
  });

  test('the last temperature holds for the rest, and without grounding the same is asked again', () => {
    const of = start({}, { retries: 3, temperatures: [0.3] });
    of.send({ type: 'run-step', step: 'one', variables });
    of.send(doubt('one', 0));
    expect(eventOf(of.send(doubt('one', 1)))).toMatchObject({ temperature: 0.3, grounding: null });
  });

  test('without temperatures the agent’s own is kept', () => {
    const of = start({}, { retries: 1, temperatures: [] });
    of.send({ type: 'run-step', step: 'one', variables });
    expect(eventOf(of.send(doubt('one', 0)))).toMatchObject({ temperature: 0 });
  });
});

describe('failures (S1, S2)', () => {
  const backoff = (at: number) => [
    expect.objectContaining({ kind: 'act', tag: 'backoff:one', arguments: { at } }),
  ];

  test('a retryable one restarts that agent under another name after growing pauses, then gives up', () => {
    const of = start();
    of.send({ type: 'run-step', step: 'one', variables });
    of.send({ type: 'run-step', step: 'two', variables });
    const fail = () => of.send({ type: 'agent-failed', step: 'one', error: retryable });
    const first = fail();
    expect(first).toEqual(backoff(of.at + 100));
    expect(of.send(completed('backoff:one', {}))).toEqual([
      expect.objectContaining({ kind: 'spawn', to: agent('one.2') }),
    ]);
    expect(fail()).toEqual(backoff(of.at + 200));
    expect(of.send(completed('backoff:one', {}))).toMatchObject([{ to: agent('one.3') }]);
    expect(eventOf(fail())).toEqual({
      to: parent,
      type: 'step-done',
      step: 'one',
      result: {
        verdict: 'escalated',
        output: null,
        reasons: ['late'],
        confidence: null,
        attempts: 3,
        error: { code: 'INFERENCE_TIMEOUT', message: 'late' },
      },
    });
    expect(eventOf(of.send({ type: 'agent-done', step: 'two', result: result() }))).toEqual({
      to: parent,
      type: 'step-done',
      step: 'two',
      result: result(),
    });
  });

  test('waits for as long as whoever refused has asked for', () => {
    const of = start();
    of.send({ type: 'run-step', step: 'one', variables });
    const fail = (retryAfterMs: number) =>
      of.send({ type: 'agent-failed', step: 'one', error: { ...retryable, retryAfterMs } });
    expect(fail(7_000)).toEqual(backoff(of.at + 7_000));
    of.send(completed('backoff:one', {}));
    expect(fail(30)).toEqual(backoff(of.at + 200));
  });

  test('the next agent is told how far the failed one had come', () => {
    const of = start();
    of.send({ type: 'run-step', step: 'one', variables });
    const progress = { answers: [], conversation: { ...noConversation, turn: 3 } };
    of.send({ type: 'agent-failed', step: 'one', error: retryable, progress });
    expect(of.send(completed('backoff:one', {}))).toMatchObject([{ event: { progress } }]);
    // One that failed without telling is followed by one that begins where the last that told did.
    of.send({ type: 'agent-failed', step: 'one', error: retryable });
    expect(of.send(completed('backoff:one', {}))).toMatchObject([{ event: { progress } }]);
    of.send({ type: 'run-step', step: 'two', variables });
    of.send({ type: 'agent-failed', step: 'two', error: retryable });
    const [spawned] = of.send(completed('backoff:two', {}));
    expect(spawned).not.toHaveProperty('event.progress');
  });

  test('one that would only repeat is not retried', () => {
    const of = start();
    of.send({ type: 'run-step', step: 'one', variables });
    const error = { ...retryable, retryable: false };
    expect(eventOf(of.send({ type: 'agent-failed', step: 'one', error }))).toMatchObject({
      type: 'step-done',
      result: { attempts: 1 },
    });
  });
});

describe('handing over (S3)', () => {
  const escalated = result({ verdict: 'escalated', output: null, reasons: ['unsure'] });

  test('an escalated step is reported once its file for a human is written', () => {
    const of = start({ recovery });
    of.send({ type: 'run-step', step: 'one', variables });
    expect(of.send({ type: 'agent-done', step: 'one', result: escalated })).toEqual([
      expect.objectContaining({
        kind: 'act',
        tag: 'recovery:one',
        arguments: { path: 'human/one', text: `${variables.document?.text}["unsure"]` },
      }),
    ]);
    expect(eventOf(of.send(completed('recovery:one', {})))).toEqual({
      to: parent,
      type: 'step-done',
      step: 'one',
      result: escalated,
    });
  });

  test('a file that cannot be written is one more reason, not a lost step', () => {
    const of = start({ recovery });
    of.send({ type: 'run-step', step: 'one', variables });
    of.send({ type: 'agent-done', step: 'one', result: escalated });
    expect(eventOf(of.send(failed('recovery:one')))).toMatchObject({
      type: 'step-done',
      result: { reasons: ['unsure', expect.stringContaining('It broke.')] },
    });
  });

  test('accepted and flagged answers, and steps over all documents, need no file', () => {
    const of = start({ recovery });
    of.send({ type: 'run-step', step: 'one', variables });
    of.send({ type: 'run-step', step: 'two', variables: { ...variables, document: null } });
    const flagged = result({ verdict: 'flagged', reasons: ['odd'] });
    expect(eventOf(of.send({ type: 'agent-done', step: 'one', result: flagged }))).toMatchObject({
      type: 'step-done',
    });
    expect(eventOf(of.send({ type: 'agent-done', step: 'two', result: escalated }))).toMatchObject({
      type: 'step-done',
    });
  });
});

describe('stopping', () => {
  test('cancels agents, aborts its own intentions, and stops after the last of them', () => {
    const of = start({ recovery });
    of.send({ type: 'run-step', step: 'one', variables });
    of.send({ type: 'run-step', step: 'two', variables });
    of.send({ type: 'agent-failed', step: 'two', error: retryable });
    expect(of.send({ type: 'cancel' })).toEqual([
      { kind: 'send', to: agent('one'), event: { type: 'cancel' } },
      { kind: 'abort', tag: 'backoff:two' },
    ]);
    expect(of.send(failed('backoff:two'))).toEqual([]);
    expect(of.done).toBe(false);
    expect(of.send({ type: 'agent-cancelled', step: 'one' })).toEqual([
      { kind: 'send', to: parent, event: { type: 'supervisor-stopped' } },
    ]);
    expect(of.done).toBe(true);
  });

  test('an agent that had ended just before counts as ended; nothing is started or reported any more', () => {
    const of = start({ recovery });
    of.send({ type: 'run-step', step: 'one', variables });
    of.send({ type: 'run-step', step: 'two', variables });
    of.send({ type: 'cancel' });
    expect(of.send({ type: 'agent-failed', step: 'one', error: retryable })).toEqual([]);
    expect(eventOf(of.send({ type: 'agent-done', step: 'two', result: result() }))).toEqual({
      to: parent,
      type: 'supervisor-stopped',
    });
  });

  test('without any agent it stops at once', () => {
    expect(eventOf(start().send({ type: 'cancel' })).type).toBe('supervisor-stopped');
  });
});
