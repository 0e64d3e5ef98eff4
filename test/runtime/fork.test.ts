/** Forks of real runs in a real runtime. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { foldRun } from '../../src/runtime/fold-run.ts';
import { forkPoints } from '../../src/runtime/fork-point.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { exportRun, importRun } from '../../src/runtime/run-archive.ts';
import type { EventView, RunView } from '../../src/runtime/views.ts';
import { deskTexts, makeDesk, openRuntime, runToEnd, testFolder, untilEvents } from './running.ts';

type Runtime = Awaited<ReturnType<typeof openRuntime>>;

function readOnly(dataDirectory: string) {
  const journal = openReadOnly(dataDirectory);
  onTestFinished(() => journal.close());
  return journal;
}

function allEvents(runtime: Pick<Runtime, 'events'>, { id, events }: RunView): EventView[] {
  const found: EventView[] = [];
  while (found.length < events) {
    found.push(...runtime.events(id, { from: found.length + 1, limit: 500 }));
  }
  return found;
}

function report({ outputs }: RunView): string {
  return readFileSync(join(String(outputs?.workspace), 'report.md'), 'utf8');
}

/** Where the run first hears an answer of the model. */
function firstAnswer(events: readonly EventView[]): number {
  const at = events.findIndex(({ event }) => event.type === 'outcome' && event.tag === 'generate');
  expect(at).toBeGreaterThan(0);
  return at + 1;
}

describe('a fork that changes nothing', () => {
  test('shares its prefix, goes on to the same result, and leaves its parent alone', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(2));
    const runtime = await openRuntime(dataDirectory, { hosts: 2 });
    const parent = await runToEnd(runtime, request);
    const before = allEvents(runtime, parent);
    for (const at of [
      1,
      10,
      firstAnswer(before),
      Math.floor(parent.events / 2),
      parent.events - 1,
    ]) {
      const begun = await runtime.fork(parent.id, { at });
      expect(begun.parent).toEqual({ run: parent.id, at });
      const fork = await runtime.ended(begun.id);
      expect(fork).toMatchObject({ status: 'succeeded', resultHash: parent.resultHash });
      expect(report(fork)).toBe(report(parent));
      expect(allEvents(runtime, fork).slice(0, at)).toEqual(before.slice(0, at));
      expect(fork.progress).toEqual(parent.progress);
      const journal = readOnly(dataDirectory);
      expect(await journal.replay(fork.id)).toMatchObject({ equal: true, events: fork.events });
    }
    expect(runtime.run(parent.id)).toEqual(parent);
    expect(allEvents(runtime, parent)).toEqual(before);
    expect(await readOnly(dataDirectory).replay(parent.id)).toMatchObject({ equal: true });
  });
});

describe('a fork that changes something', () => {
  /** A parent that has ended, and where its first question was in flight. */
  async function ended(count = 2) {
    const { dataDirectory, request } = makeDesk(deskTexts(count));
    const runtime = await openRuntime(dataDirectory);
    const parent = await runToEnd(runtime, request);
    const events = allEvents(runtime, parent);
    const at = firstAnswer(events) - 1;
    const fork = async (set: JsonObject, place = at) =>
      runtime.ended((await runtime.fork(parent.id, { at: place, set })).id);
    return { dataDirectory, runtime, parent, events, at, fork };
  }

  const billing = (text: string): JsonObject => ({
    status: 'completed',
    value: {
      status: 'completed',
      text,
      finish: 'stop',
      tokens: '',
      minConfidence: 0.99,
      halt: null,
      usage: { promptTokens: 1, answerTokens: 1 },
    },
  });

  test('asks what is in flight again with another prompt, and parts there', async () => {
    const { dataDirectory, runtime, parent, at, fork } = await ended();
    const prompt = 'Route this request to one of: billing, support. Request: My invoice is wrong.';
    const changed = await fork({ 'router.prompt': prompt });
    expect(changed.status).toBe('succeeded');
    const asked = allEvents(runtime, changed).slice(at);
    expect(asked[0]).toMatchObject({ event: { type: 'amend' } });
    const definition = String(asked[0]?.event.definition);
    expect(JSON.parse(definition).agents.router.prompt).toBe(prompt);
    const journal = readOnly(dataDirectory);
    expect(await journal.replay(changed.id)).toMatchObject({ equal: true });
    const { equal, partings, first } = journal.diff(parent.id, changed.id);
    expect(equal).toBe(false);
    expect(partings.every(({ sequences }) => (sequences[0] ?? at + 1) > at)).toBe(true);
    expect(first).not.toBeNull();
    const abandoned = journal.effects(changed.id).filter(({ status }) => status === 'unanswered');
    expect(abandoned.length).toBeGreaterThan(0);
    expect(abandoned.every(({ operation }) => operation === 'inference.generate')).toBe(true);
  });

  test('is told an outcome in place of the one that its parent heard', async () => {
    const { dataDirectory, runtime, events, at, fork } = await ended(1);
    const original = events[at]?.event as { outcome: { value: { text: string } } };
    const route = original.outcome.value.text.includes('billing') ? 'support' : 'billing';
    const changed = await fork({ outcome: billing(`{"route":"${route}"}`) });
    expect(changed.status).toBe('succeeded');
    expect(report(changed)).toContain(`${route},`);
    expect(allEvents(runtime, changed)[at]).toMatchObject({
      event: { type: 'outcome', outcome: { value: { text: `{"route":"${route}"}` } } },
    });
    expect(await readOnly(dataDirectory).replay(changed.id)).toMatchObject({ equal: true });
  });

  test('tells actors that have not begun as well', async () => {
    const { runtime, fork } = await ended(2);
    const changed = await fork({ temperature: 0.2 }, 1);
    const own = allEvents(runtime, changed).slice(1);
    const starts = own.filter(({ event }) => event.type === 'start');
    const old = starts.filter(
      ({ event }) => !String(event.definition).includes('"temperature":0.2'),
    );
    const told = own.filter(({ event }) => event.type === 'amend').map(({ actor }) => actor);
    expect(old.length).toBeGreaterThan(2);
    expect(told.sort()).toEqual(['run', ...old.map(({ actor }) => actor)].sort());
  });

  test('may be forked again, before and behind where it began', async () => {
    const { dataDirectory, runtime, parent, at, fork } = await ended(1);
    const first = await fork({ temperature: 0.3 });
    const journal = () => readOnly(dataDirectory);
    for (const place of [at - 1, at, at + 1, first.events - 2]) {
      const begun = await runtime.fork(first.id, { at: place, set: { temperature: 0.1 } });
      const nested = await runtime.ended(begun.id);
      expect(nested).toMatchObject({ status: 'succeeded', parent: { run: first.id, at: place } });
      expect(await journal().replay(nested.id)).toMatchObject({ equal: true });
      const definitions = allEvents(runtime, nested).flatMap(({ event }) =>
        event.type === 'amend' ? [JSON.parse(String(event.definition))] : [],
      );
      expect(definitions.at(-1)?.agents.adder.temperature).toBe(0.1);
    }
    expect(await journal().replay(parent.id)).toMatchObject({ equal: true });
  });

  test('is refused where it cannot begin, and leaves no run behind', async () => {
    const { dataDirectory, runtime, parent } = await ended(1);
    const refusals: [number, JsonObject, RegExp][] = [
      [100_000, {}, /has \d+ events and no event/],
      [parent.events, {}, /has ended by event/],
      [3, { tools: 'x' }, /cannot be set/],
      [3, { 'clerk.model': 'x' }, /no agent clerk; there are/],
      [3, { prompt: 'x' }, /Say whose prompt/],
      [3, { outcome: 'fine' }, /An outcome is/],
      [3, { outcome: { 'run:9:9': billing('') } }, /No intention run:9:9 is in flight/],
    ];
    for (const [at, set, message] of refusals) {
      const refused = expect(runtime.fork(parent.id, { at, set })).rejects;
      await refused.toMatchObject({
        code: 'FORK_INVALID',
        message: expect.stringMatching(message),
      });
    }
    expect(runtime.runs()).toHaveLength(1);
    expect(readdirSync(join(dataDirectory, 'workspaces'))).toHaveLength(1);
  });

  test('is refused with what no pipeline may say, or no model here can do', async () => {
    const { runtime, parent } = await ended(1);
    const fork = (set: JsonObject) => runtime.fork(parent.id, { at: 3, set });
    await expect(fork({ temperature: 3 })).rejects.toMatchObject({ code: 'PIPELINE_INVALID' });
    await expect(fork({ model: 'other' })).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
    await expect(runtime.fork('nobody', { at: 1 })).rejects.toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
  });
});

describe('a fork that is interrupted', () => {
  test('goes on at the next start, as its parent would', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(4));
    const before = await openRuntime(dataDirectory, { hosts: 2 });
    const parent = await runToEnd(before, request);
    const at = Math.floor(parent.events / 3);
    const { id } = await before.fork(parent.id, { at, set: { temperature: 0 } });
    const twin = await before.fork(parent.id, { at });
    await untilEvents(before, id, at + 15);
    await before.stop();
    const after = await openRuntime(dataDirectory, { hosts: 1 });
    for (const fork of [await after.ended(id), await after.ended(twin.id)]) {
      expect(fork).toMatchObject({ status: 'succeeded', resultHash: parent.resultHash });
      expect(await readOnly(dataDirectory).replay(fork.id)).toMatchObject({ equal: true });
    }
  });

  test('of a run that still goes on goes on beside it; each can be cancelled', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(6));
    const runtime = await openRuntime(dataDirectory, { hosts: 2 });
    const { id } = await runtime.startRun(request);
    await untilEvents(runtime, id, 30);
    const forks = [
      await runtime.fork(id, { at: 20 }),
      await runtime.fork(id, { at: 20, set: { 'adder.temperature': 0.2 } }),
    ];
    const cancelled = await Promise.all(forks.map((fork) => runtime.cancel(fork.id)));
    expect(cancelled.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    expect((await runtime.ended(id)).status).toBe('succeeded');
    const journal = readOnly(dataDirectory);
    for (const fork of forks) {
      expect(await journal.replay(fork.id)).toMatchObject({ equal: true });
    }
  });
});

test('a fork goes elsewhere with the runs that it is a fork of', async () => {
  const { dataDirectory, request } = makeDesk(deskTexts(1));
  const runtime = await openRuntime(dataDirectory);
  const parent = await runToEnd(runtime, request);
  const begun = await runtime.fork(parent.id, { at: 8, set: { temperature: 0.2 } });
  const fork = await runtime.ended(begun.id);
  const nested = await runtime.ended((await runtime.fork(fork.id, { at: 12 })).id);
  await runtime.stop();
  const file = join(testFolder(), 'nested.claw');
  exportRun(dataDirectory, nested.id, file);
  const elsewhere = join(testFolder(), 'data');
  openDataDirectory(elsewhere, 0).release();
  importRun(elsewhere, file);
  const journal = readOnly(elsewhere);
  for (const run of [parent, fork, nested]) {
    expect(await journal.replay(run.id)).toMatchObject({ equal: true, events: run.events });
    expect(journal.run(run.id)).toMatchObject({ resultHash: run.resultHash, parent: run.parent });
  }
  expect(verifyJournal(elsewhere)).toMatchObject({ ok: true });
  const again = join(testFolder(), 'fork.claw');
  exportRun(elsewhere, fork.id, again);
  const half = join(testFolder(), 'data');
  openDataDirectory(half, 0).release();
  importRun(half, again);
  expect(importRun(half, file).events).toBe(nested.events - 12);
  expect(await readOnly(half).replay(nested.id)).toMatchObject({ equal: true });
});

test('a replay finds a fork that does not go on from the event of its parent', async () => {
  const { dataDirectory, request } = makeDesk(deskTexts(1));
  const runtime = await openRuntime(dataDirectory);
  const parent = await runToEnd(runtime, request);
  const fork = await runtime.ended((await runtime.fork(parent.id, { at: 8 })).id);
  const follower = new JournalFollower(dataDirectory);
  onTestFinished(() => follower.close());
  follower.advance();
  const entry = follower.entry(fork.id);
  const records = [
    ...follower.records(
      entry,
      entry.events.keys().map((index) => index + 1),
    ),
  ];
  const options = { keepSends: false, points: forkPoints(entry, follower.index) };
  expect(foldRun(records, follower.blobsOf(entry.id), options).divergence).toBeNull();
  const place = records.findIndex(
    ({ record }) => record.run === fork.id && record.actorSequence > 1,
  );
  const forged = records.map((each, index) =>
    index === place
      ? { ...each, record: { ...each.record, previousDigest: Buffer.alloc(32) } }
      : each,
  );
  expect(foldRun(forged, follower.blobsOf(entry.id), options).divergence).toMatchObject({
    sequence: place + 1,
    difference: 'The event does not go on from that of the parent.',
  });
});
