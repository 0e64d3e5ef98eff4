/**
 * Goal: a host worker dies alone, the process goes on, and each run comes to
 * the result of an undisturbed one with no effect applied twice.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { rootActor } from '../../src/runtime/root-actor.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { RunView } from '../../src/runtime/views.ts';
import { killHost, killNextHost } from '../crash/host-threads.ts';
import { type Desk, deskTexts, makeDesk, openRuntime, runToEnd, untilEvents } from './running.ts';

function reportOf(run: RunView): string {
  const { workspace, report } = run.outputs ?? {};
  return readFileSync(join(String(workspace), String(report)), 'utf8');
}

async function undisturbed(desk: Desk): Promise<RunView> {
  const runtime = await openRuntime(desk.dataDirectory);
  const run = await runToEnd(runtime, desk.request);
  await runtime.stop();
  expect(run.status).toBe('succeeded');
  return run;
}

/** Everything that the death of a host could have broken. */
async function expectUnharmed(
  runtime: Runtime,
  { dataDirectory }: Desk,
  run: RunView,
  plain: RunView,
): Promise<void> {
  expect(run).toMatchObject({ status: 'succeeded', error: null, resultHash: plain.resultHash });
  expect(run.usage).toEqual(plain.usage);
  expect(reportOf(run)).toBe(reportOf(plain));
  const effects = runtime.effects(run.id);
  expect(effects.filter(({ status }) => status !== 'completed')).toEqual([]);
  const folded = runtime
    .events(run.id, { from: 1, limit: 1_000 })
    .flatMap(({ event, cause }) => (event.type === 'outcome' ? [cause] : []));
  expect(new Set(folded).size).toBe(folded.length);
  await runtime.stop();
  const readOnly = openReadOnly(dataDirectory);
  try {
    expect(await readOnly.replay(run.id)).toMatchObject({ equal: true, stateHash: run.stateHash });
  } finally {
    readOnly.close();
  }
  expect(verifyJournal(dataDirectory)).toMatchObject({ ok: true, torn: null });
}

test.for([1, 3])('%i hosts: one dies again and again in the middle of a run', async (hosts) => {
  const desk = makeDesk(deskTexts(4));
  const plain = await undisturbed(desk);
  const notices: string[] = [];
  const runtime = await openRuntime(
    desk.dataDirectory,
    { hosts },
    { onNotice: (text) => notices.push(text) },
  );
  const { id } = await runtime.startRun(desk.request);
  for (const events of [3, 20, 45, 70]) {
    await untilEvents(runtime, id, events);
    await killHost(events / 100);
  }
  const run = await runtime.ended(id);
  expect(runtime.health().hostRestarts, notices.join('\n')).toBeGreaterThanOrEqual(3);
  await expectUnharmed(runtime, desk, run, plain);
});

/** Epochs under which the first actor of the run has acted, in the order of the log. */
function epochsOfRoot(dataDirectory: string, run: string): number[] {
  const reader = JournalReader.open(dataDirectory);
  try {
    return reader
      .advance()
      .filter((each) => each.type === 'event' && each.run === run && each.actor === rootActor)
      .map(({ epoch }) => epoch);
  } finally {
    reader.close();
  }
}

test('an actor acts under a higher epoch at the return of its host (U2)', async () => {
  const desk = makeDesk(deskTexts(2));
  const runtime = await openRuntime(desk.dataDirectory, { hosts: 1 });
  const { id } = await runtime.startRun(desk.request);
  await untilEvents(runtime, id, 10);
  await killHost();
  expect((await runtime.ended(id)).status).toBe('succeeded');
  expect(runtime.health().hostRestarts).toBe(1);
  await runtime.stop();
  const epochs = epochsOfRoot(desk.dataDirectory, id);
  expect([...new Set(epochs)]).toEqual([1, 2]);
});

test('hosts die while they recover from a death', async () => {
  const desk = makeDesk(deskTexts(3));
  const plain = await undisturbed(desk);
  const runtime = await openRuntime(desk.dataDirectory, { hosts: 2 });
  const { id } = await runtime.startRun(desk.request);
  await untilEvents(runtime, id, 15);
  await killHost();
  await killNextHost();
  await killNextHost();
  const run = await runtime.ended(id);
  await expectUnharmed(runtime, desk, run, plain);
});

test('a host dies while it has nothing to do; the next run begins and may be cancelled', async () => {
  const desk = makeDesk(deskTexts(2));
  const runtime = await openRuntime(desk.dataDirectory, { hosts: 1 });
  await killHost();
  const { id } = await runtime.startRun(desk.request);
  await killHost();
  const cancelled = await runtime.cancel(id);
  expect(cancelled.status).toBe('cancelled');
  expect(runtime.health().hostRestarts).toBeGreaterThan(0);
});

test('a runtime stops while its hosts start again', async () => {
  const desk = makeDesk(deskTexts(2));
  const runtime = await openRuntime(desk.dataDirectory, { hosts: 2 });
  const { id } = await runtime.startRun(desk.request);
  await untilEvents(runtime, id, 10);
  await killHost();
  await runtime.stop();
  const again = await openRuntime(desk.dataDirectory, { hosts: 2 });
  expect(again.recovered.runs).toBe(1);
  expect((await again.ended(id)).status).toBe('succeeded');
});
