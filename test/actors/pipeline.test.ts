import { describe, expect, test } from 'vitest';
import type { ActorEvent, DocumentReference } from '../../src/actors/event.ts';
import type { Intention } from '../../src/actors/intention.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { completed, definitionText, failed, result, started } from './machines.ts';

const self = actorId('run');
const echo = { echo: { prompt: 'x' } };
const mapped = (id: string, more: object = {}) => ({
  id,
  agent: 'echo',
  map: 'documents',
  ...more,
});
const shared = (id: string, more: object = {}) => ({ id, agent: 'echo', ...more });

function documents(count: number): DocumentReference[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `m${index}.txt`,
    sha256: sha256(`text ${index}`),
    part: null,
  }));
}

function startRun(steps: readonly object[], count = 2) {
  return started('pipeline', {
    type: 'start',
    machine: 'pipeline',
    scope: 'run',
    self,
    definition: definitionText({ name: 'demo', agents: echo, steps, report: 'r.md' }),
    seed: 7,
    documents: documents(count),
  });
}

function startDocument(steps: readonly object[]) {
  const [document] = documents(1);
  if (document === undefined) throw new Error('one document');
  const begun = started('pipeline', {
    type: 'start',
    machine: 'pipeline',
    scope: 'document',
    self: actorId('run/document-1'),
    parent: self,
    definition: definitionText({ name: 'demo', agents: echo, steps }),
    seed: 7,
    index: 0,
    document,
  });
  return { ...begun, text: { texts: { [document.sha256]: 'text 0' } } };
}

function sends(intentions: readonly Intention[]): string[] {
  return intentions.map((intention) => {
    if (intention.kind === 'send') {
      const { event } = intention;
      return `${event.type}${'step' in event ? ` ${event.step}` : ''} > ${intention.to}`;
    }
    if (intention.kind === 'spawn') return `spawn ${intention.machine} > ${intention.to}`;
    if (intention.kind === 'act') return `${intention.actuator}.${intention.operation}`;
    if (intention.kind === 'abort') return `abort ${intention.tag}`;
    return `finish ${intention.status}`;
  });
}

function stepDone(step: string, change: object = {}): ActorEvent {
  return { type: 'step-done', step, result: result(change) };
}

function documentDone(
  index: number,
  item = `{"item":${index}}`,
  handedToHuman = false,
): ActorEvent {
  return {
    type: 'document-done',
    index,
    item,
    digest: sha256(item),
    handedToHuman,
    notRun: [],
    failure: null,
  };
}

describe('the pipeline of a run', () => {
  test('starts a supervisor and one pipeline for each document, and only its own steps', () => {
    const { intentions } = startRun([
      shared('first'),
      mapped('each'),
      shared('last', { needs: ['each'] }),
    ]);
    expect(sends(intentions)).toEqual([
      'spawn supervisor > run/supervisor',
      'spawn pipeline > run/document-1',
      'spawn pipeline > run/document-2',
      'run-step first > run/supervisor',
    ]);
  });

  test('a step over all documents waits for every one of them, and sees them by index (P1, P3)', () => {
    const { of } = startRun([mapped('each'), shared('last', { needs: ['each'] })]);
    expect(of.send(documentDone(1))).toEqual([]);
    const [begun] = of.send(documentDone(0));
    expect(begun).toMatchObject({
      event: { type: 'run-step', step: 'last', variables: { items: ['{"item":0}', '{"item":1}'] } },
    });
  });

  test('long items are read again from the journal, whatever pages that takes', () => {
    const { of } = startRun([mapped('each'), shared('last', { needs: ['each'] })]);
    const long = JSON.stringify('x'.repeat(limits.inlineTextCharactersMax));
    of.send(documentDone(0, long));
    const [read] = of.send(documentDone(1));
    expect(read).toMatchObject({
      kind: 'act',
      actuator: 'blobs',
      tag: 'items',
      arguments: { hashes: [sha256(long)] },
    });
    const [begun] = of.send(completed('items', { texts: { [sha256(long)]: long } }));
    expect(begun).toMatchObject({ event: { variables: { items: [long, '{"item":1}'] } } });
  });

  test('items that cannot be read fail the run with the reason', () => {
    const { of } = startRun([mapped('each'), shared('last', { needs: ['each'] })], 1);
    of.send(documentDone(0, JSON.stringify('x'.repeat(limits.inlineTextCharactersMax))));
    const stopping = of.send(failed('items', { code: 'BLOB_MISSING' }));
    expect(sends(stopping)).toEqual(['cancel > run/supervisor']);
    expect(of.send({ type: 'supervisor-stopped' })).toMatchObject([
      { kind: 'finish', status: 'failed', error: { code: 'BLOB_MISSING', message: 'It broke.' } },
    ]);
    expect(of.done).toBe(true);
  });

  test('what a step over all documents found is told to the documents that need it, once each', () => {
    const { of } = startRun([shared('first'), mapped('each', { needs: ['first'] })]);
    of.send(documentDone(1));
    expect(sends(of.send(stepDone('first')))).toEqual(['shared-step-done first > run/document-1']);
    expect(sends(of.send(documentDone(0)))).toEqual(['finish succeeded']);
  });

  test('the result hash knows the answers, not their confidence, attempts or order (P3)', () => {
    const hashOf = (order: readonly number[], change: object): unknown => {
      const { of } = startRun([mapped('each'), shared('last')]);
      for (const index of order) of.send(documentDone(index));
      const [finish] = of.send(stepDone('last', change));
      return finish?.kind === 'finish' && finish.resultHash;
    };
    const expected = hashOf([0, 1], {});
    expect(expected).toMatch(/^[0-9a-f]{64}$/);
    expect(hashOf([1, 0], { confidence: 0.1, attempts: 5 })).toBe(expected);
    expect(hashOf([0, 1], { output: 'other' })).not.toBe(expected);
    expect(hashOf([0, 1], { verdict: 'flagged' })).not.toBe(expected);
  });

  test('a step over all documents that is given up fails the run and skips what needs it (P2)', () => {
    const { of } = startRun([shared('first'), shared('second', { needs: ['first'] })], 0);
    const [finish] = of.send(stepDone('first', { verdict: 'escalated', reasons: ['no.'] }));
    expect(finish).toMatchObject({
      status: 'failed',
      error: { code: 'RUN_FAILED', message: 'The step first was given up: no.' },
    });
  });
});

describe('the pipeline of a document', () => {
  test('reads its text, does the mapped steps in order, and reports them', () => {
    const { of, intentions, text } = startDocument([
      mapped('b', { needs: ['a'] }),
      mapped('a'),
      shared('last', { needs: ['b'] }),
    ]);
    expect(sends(intentions)).toEqual(['blobs.read']);
    const begun = of.send(completed('document', text));
    expect(sends(begun)).toEqual([
      'spawn supervisor > run/document-1/supervisor',
      'run-step a > run/document-1/supervisor',
    ]);
    expect(begun[1]).toMatchObject({ event: { variables: { document: { text: 'text 0' } } } });
    const [next] = of.send(stepDone('a', { output: 1 }));
    expect(next).toMatchObject({
      event: { step: 'b', variables: { steps: expect.stringContaining('"a":{') } },
    });
    const [done] = of.send(stepDone('b', { verdict: 'flagged' }));
    expect(done).toMatchObject({
      to: 'run',
      event: { type: 'document-done', index: 0, handedToHuman: true, notRun: [] },
    });
  });

  test('a shared result that comes before its text is kept; one that it needs is waited for', () => {
    const steps = [shared('first'), mapped('each', { needs: ['first'] })];
    const shareIt: ActorEvent = {
      type: 'shared-step-done',
      step: 'first',
      result: JSON.stringify(result()),
    };
    const early = startDocument(steps);
    expect(early.of.send(shareIt)).toEqual([]);
    expect(sends(early.of.send(completed('document', early.text)))).toContain(
      'run-step each > run/document-1/supervisor',
    );
    const late = startDocument(steps);
    expect(late.of.send(completed('document', late.text))).toHaveLength(1);
    expect(sends(late.of.send(shareIt))).toEqual(['run-step each > run/document-1/supervisor']);
  });

  test('a text that cannot be read is handed to a human, and nothing is asked', () => {
    const { of } = startDocument([mapped('a')]);
    const [done] = of.send(failed('document', { code: 'BLOB_MISSING' }));
    expect(done).toMatchObject({
      event: { type: 'document-done', handedToHuman: true, notRun: ['a'] },
    });
    expect(JSON.stringify(done)).toContain('could not be read');
  });
});

describe('a cancel', () => {
  test('reaches the supervisor and the open documents, and ends after the last of them', () => {
    const { of } = startRun([shared('first'), mapped('each')], 3);
    of.send(documentDone(1));
    expect(sends(of.send({ type: 'cancel' }))).toEqual([
      'cancel > run/supervisor',
      'cancel > run/document-1',
      'cancel > run/document-3',
    ]);
    expect(of.send({ type: 'cancel' })).toEqual([]);
    expect(of.send(stepDone('first'))).toEqual([]);
    expect(of.send({ type: 'document-cancelled', index: 0 })).toEqual([]);
    expect(of.send({ type: 'supervisor-stopped' })).toEqual([]);
    expect(sends(of.send(documentDone(2)))).toEqual(['finish cancelled']);
    expect(of.done).toBe(true);
  });

  test('while the items are read waits for that outcome first', () => {
    const { of } = startRun([mapped('each'), shared('last', { needs: ['each'] })], 1);
    of.send(documentDone(0, JSON.stringify('x'.repeat(limits.inlineTextCharactersMax))));
    expect(sends(of.send({ type: 'cancel' }))).toEqual(['abort items']);
    expect(sends(of.send(failed('items')))).toEqual(['cancel > run/supervisor']);
    expect(sends(of.send({ type: 'supervisor-stopped' }))).toEqual(['finish cancelled']);
  });

  test('of a document: while it reads, and while it works', () => {
    const reading = startDocument([mapped('a')]);
    expect(sends(reading.of.send({ type: 'cancel' }))).toEqual(['abort document']);
    expect(sends(reading.of.send(completed('document', reading.text)))).toEqual([
      'document-cancelled > run',
    ]);
    const working = startDocument([mapped('a')]);
    working.of.send(completed('document', working.text));
    expect(sends(working.of.send({ type: 'cancel' }))).toEqual([
      'cancel > run/document-1/supervisor',
    ]);
    expect(sends(working.of.send({ type: 'supervisor-stopped' }))).toEqual([
      'document-cancelled > run',
    ]);
  });
});
