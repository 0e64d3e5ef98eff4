/**
 * Runs that are interrupted: by a stop of the runtime, by a cancel, by a
 * machine that has changed.
 */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';
import { CpuPool } from '../../src/runtime/pool/client.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { recoverRuns, resumeRun } from '../../src/runtime/resume-run.ts';
import type { AdoptMessage } from '../../src/runtime/topics.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { rewriteJournal } from './rewritten-journal.ts';
import { deskTexts, makeDesk, openRuntime, runToEnd, testFolder, untilEvents } from './running.ts';
import { generated, World, written } from './world.ts';

async function replay(dataDirectory: string, run: string) {
  const readOnly = openReadOnly(dataDirectory);
  onTestFinished(() => readOnly.close());
  return readOnly.replay(run);
}

describe('a runtime that stops in the middle of a run', () => {
  test('goes on at the next start, on other hosts, to the result of an undisturbed run', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(6));
    const before = await openRuntime(dataDirectory, { hosts: 2 });
    const undisturbed = await runToEnd(before, request);
    const { id } = await before.startRun(request);
    await untilEvents(before, id, 40);
    await before.stop();

    const between = await openRuntime(dataDirectory, { hosts: 1 });
    expect(between.recovered.runs).toBe(1);
    expect(between.run(id).status).toBe('running');
    await untilEvents(between, id, between.run(id).events + 20);
    await between.stop();

    const after = await openRuntime(dataDirectory, { hosts: 3 });
    expect(after.recovered.runs).toBe(1);
    const run = await after.ended(id);
    expect(run).toMatchObject({ status: 'succeeded', resultHash: undisturbed.resultHash });
    const [report, expected] = [run, undisturbed].map(({ outputs }) =>
      readFileSync(join(String(outputs?.workspace), 'report.md'), 'utf8'),
    );
    expect(report).toBe(expected);
    expect(run.usage).toEqual(undisturbed.usage);
    expect(run.events).toBe(undisturbed.events);
    expect(await replay(dataDirectory, id)).toMatchObject({ equal: true, events: run.events });
  });
});

describe('a cancel', () => {
  test('in the middle ends the run as cancelled, once; it replays, and others go on', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(8));
    const runtime = await openRuntime(dataDirectory, { hosts: 2 });
    const [{ id }, other] = [await runtime.startRun(request), await runtime.startRun(request)];
    await untilEvents(runtime, id, 20);
    const [first, second] = await Promise.all([runtime.cancel(id), runtime.cancel(id)]);
    expect(first).toMatchObject({ status: 'cancelled', resultHash: null, error: null });
    expect(second).toEqual(first);
    await expect(runtime.cancel(id)).rejects.toMatchObject({ code: 'RUN_NOT_OPEN' });
    await expect(runtime.cancel('nobody')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    expect((await runtime.ended(other.id)).status).toBe('succeeded');
    expect(runtime.run(id)).toEqual(first);
    expect(await replay(dataDirectory, id)).toMatchObject({ equal: true, events: first.events });
  });
});

describe('a machine that has changed', () => {
  test('suspends the open run, says so, and leaves the ended ones alone', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(6));
    const before = await openRuntime(dataDirectory);
    const ended = await runToEnd(before, {
      ...request,
      input: makeDesk(['Add 1 and 2']).request.input,
    });
    const { id } = await before.startRun(request);
    await untilEvents(before, id, 40);
    await before.stop();

    const older = join(testFolder(), 'data');
    openDataDirectory(older, 0).release();
    rewriteJournal(dataDirectory, older, (body, { type }) => {
      if (type === 'event' && body.machine === 'supervisor@1') body.machine = 'supervisor@0';
    });
    cpSync(join(dataDirectory, 'blobs'), join(older, 'blobs'), { recursive: true });
    const notices: string[] = [];
    const runtime = await openRuntime(older, {}, { onNotice: (text) => notices.push(text) });
    expect(runtime.recovered.runs).toBe(0);
    expect(runtime.run(id)).toMatchObject({
      status: 'suspended',
      error: {
        code: 'REPLAY_DIVERGED',
        message: expect.stringContaining('no longer has the machine supervisor@0'),
      },
    });
    expect(await runtime.ended(id)).toMatchObject({ status: 'suspended' });
    expect(notices.join()).toContain(id);
    expect(runtime.run(ended.id).status).toBe('succeeded');
    expect((await runToEnd(runtime, request)).status).toBe('succeeded');
    expect(runtime.run(id).status).toBe('suspended');
    expect(await runtime.cancel(id)).toMatchObject({ status: 'cancelled' });
    await expect(runtime.cancel(id)).rejects.toMatchObject({ code: 'RUN_NOT_OPEN' });
  });
});

describe('what recovery hands to the hosts', () => {
  const definition = {
    name: 'demo',
    agents: { echo: { prompt: '{{document.text}}' } },
    steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
  };

  test('every actor is known before the first is adopted, under a higher epoch, and mail comes last (U2, U3, U4)', async () => {
    const folder = temporaryFolder();
    openDataDirectory(folder, 0).release();
    const world = new World(folder, 2);
    const run = world.start(definition, ['one', 'two']);
    world.play(() => null);
    const pool = new CpuPool({ threads: 1 });
    onTestFinished(() => pool.close());
    const directory = new ActorDirectory(ActorDirectory.allocate({ slots: 64 }));
    const entry = world.follower.entry(run);
    const order: string[] = [];
    const adopted: AdoptMessage[] = [];
    const knows = (actor: string): boolean =>
      directory.lookup(run, actorId(actor)).state === 'owned';
    const ports = { dataDirectory: folder, pool };
    const recovered = await recoverRuns([entry], ports);
    await resumeRun(entry, recovered.get(run), {
      ...ports,
      directory,
      room: async () => undefined,
      hosts: 2,
      adopt: (_, message) => {
        order.push('adopt');
        adopted.push(message);
        expect([...entry.actors.keys()].every(knows)).toBe(true);
      },
      deliver: () => order.push('deliver'),
    });
    world.close();
    expect(adopted.map(({ actor }) => actor.id).sort()).toEqual([...entry.actors.keys()].sort());
    expect(adopted.every(({ epoch, resume }) => epoch === 2 && resume)).toBe(true);
    expect(order.lastIndexOf('adopt')).toBeLessThan(order.indexOf('deliver') >>> 0);
  });

  test('from any durable prefix of its history a run comes to the same end', async () => {
    const folder = temporaryFolder();
    const whole = new World(folder, 2);
    const run = whole.start(definition, ['one', 'two']);
    const answer = () => generated('yes');
    whole.play(answer);
    const expected = whole.follower.entry(run).ended?.body;
    const count = whole.follower.entry(run).events.length;
    whole.close();
    const pool = new CpuPool({ threads: 1 });
    onTestFinished(() => pool.close());
    for (let kept = 0; kept < count; kept += 1) {
      const cut = temporaryFolder();
      openDataDirectory(cut, 0).release();
      let left = kept;
      rewriteJournal(
        folder,
        cut,
        () => undefined,
        ({ type }) => {
          if (type === 'event') left -= 1;
          return type === 'run-started' || type === 'blob' || (type === 'event' && left >= 0);
        },
      );
      const world = new World(cut, 2);
      const entry = world.follower.entry(run);
      const ports = { dataDirectory: cut, pool };
      const recovered = await recoverRuns([entry], ports);
      await resumeRun(entry, recovered.get(run), {
        ...ports,
        directory: world.directory,
        room: async () => undefined,
        hosts: 2,
        adopt: (host, message) => world.host(host).adopt(message),
        deliver: (host, envelope) => world.post(host, envelope),
      });
      world.play((operation) => (operation === 'file.write' ? written : answer()));
      expect(world.follower.entry(run).ended?.body).toEqual(expected);
      expect(world.follower.entry(run).events).toHaveLength(count);
      world.close();
    }
    expect(count).toBeGreaterThan(15);
  });
});
