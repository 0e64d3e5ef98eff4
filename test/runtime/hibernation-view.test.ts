/** What the status says of actors that sleep, in a runtime whose model keeps them waiting. */
import { expect, onTestFinished, test } from 'vitest';
import type { HibernationView } from '../../src/runtime/views.ts';
import { heldModel } from './held-model.ts';
import { makeDesk, openRuntime } from './running.ts';

const pipeline = {
  name: 'waiting',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
};

test('the status counts sleeping actors, and nothing of them is left when their run has ended', async () => {
  const model = await heldModel();
  onTestFinished(() => model.close());
  const texts = ['one', 'two', 'three', 'four'];
  const { dataDirectory, request } = makeDesk(texts);
  const runtime = await openRuntime(dataDirectory, {
    hosts: 2,
    model: { baseUrl: model.baseUrl, name: 'm' },
  });
  const asleep = (): HibernationView => runtime.health().hibernation;
  const before = asleep();
  expect(before).toMatchObject({ slots: { used: 0 }, snapshots: 0, bytes: { used: 0 } });

  const { id } = await runtime.startRun({ ...request, pipeline });
  // A pipeline and its supervisor, and for each document these and an agent.
  const actors = 2 + 3 * texts.length;
  await expect.poll(() => asleep().snapshots, { timeout: 30_000 }).toBe(actors);
  const during = asleep();
  expect(during).toMatchObject({ slots: { used: actors }, spilled: 0, damaged: 0 });
  expect(during.templates).toBeGreaterThan(0);
  expect(during.bytes.used).toBeGreaterThan(0);
  for (const part of ['slots', 'bytes'] as const) {
    expect(during[part].used + during[part].free).toBe(before[part].free);
  }

  model.release();
  expect((await runtime.ended(id)).status).toBe('succeeded');
  await expect.poll(() => asleep().slots.used, { timeout: 10_000 }).toBe(0);
  expect(asleep()).toMatchObject({ snapshots: 0, templates: 0, damaged: 0 });
});
