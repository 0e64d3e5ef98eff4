import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { EventFeed } from '../../src/runtime/event-feed.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { generated, World } from './world.ts';

const definition = {
  name: 'demo',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
};

function follow(texts: readonly string[] = ['one']) {
  const world = new World(temporaryFolder());
  onTestFinished(() => world.close());
  const run = world.start(definition, texts);
  world.play(() => null);
  const entry = world.follower.entry(run);
  const failures: unknown[] = [];
  const feed = new EventFeed(world.follower, (error) => failures.push(error));
  /** The rest of the run becomes durable. */
  const goOn = (): void => {
    world.play(() => generated('yes'));
    feed.notify(run);
  };
  return { entry, failures, feed, goOn, run };
}

async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

function upTo(count: number, from = 1): number[] {
  return Array.from({ length: count - from + 1 }, (_, index) => from + index);
}

describe('a subscription (F1)', () => {
  test('gets the past and then the news, each once and in order, however often it is told', async () => {
    const { entry, feed, goOn, run } = follow();
    const seen: number[] = [];
    feed.subscribe(entry, 1, ({ sequence }) => seen.push(sequence));
    expect(seen).toEqual([]);
    await turns();
    const past = entry.events.length;
    expect(seen).toEqual(upTo(past));
    goOn();
    feed.notify(run);
    await turns();
    expect(entry.events.length).toBeGreaterThan(past);
    expect(seen).toEqual(upTo(entry.events.length));
  });

  test('that fails ends alone, and the failure is told', async () => {
    const { entry, failures, feed } = follow();
    const seen: number[] = [];
    const calls: number[] = [];
    feed.subscribe(entry, 1, ({ sequence }) => {
      calls.push(sequence);
      throw new Error('no room');
    });
    feed.subscribe(entry, 1, ({ sequence }) => seen.push(sequence));
    await turns();
    expect(failures).toEqual([new Error('no room')]);
    expect(calls).toEqual([1]);
    expect(seen).toEqual(upTo(entry.events.length));
  });

  test('begins where it was asked to, also beyond the present end', async () => {
    const { entry, feed, goOn } = follow();
    const [middle, future, zero]: number[][] = [[], [], []];
    const past = entry.events.length;
    feed.subscribe(entry, 3, ({ sequence }) => middle?.push(sequence));
    feed.subscribe(entry, past + 2, ({ sequence }) => future?.push(sequence));
    feed.subscribe(entry, 0, ({ sequence }) => zero?.push(sequence));
    await turns();
    expect(future).toEqual([]);
    goOn();
    await turns();
    const end = entry.events.length;
    expect(middle).toEqual(upTo(end, 3));
    expect(future).toEqual(upTo(end, past + 2));
    expect(zero).toEqual(upTo(end));
  });

  test('that ends inside its own listener gets nothing more', async () => {
    const { entry, feed, goOn } = follow();
    const seen: number[] = [];
    const stop = feed.subscribe(entry, 1, ({ sequence }) => {
      seen.push(sequence);
      if (sequence === 2) stop();
    });
    await turns();
    goOn();
    await turns();
    expect(seen).toEqual([1, 2]);
  });

  test('ended twice does not take a later one with it', async () => {
    const { entry, feed, goOn } = follow();
    const stop = feed.subscribe(entry, 1, () => undefined);
    stop();
    const seen: number[] = [];
    feed.subscribe(entry, 1, ({ sequence }) => seen.push(sequence));
    stop();
    await turns();
    goOn();
    await turns();
    expect(seen).toEqual(upTo(entry.events.length));
  });

  test('hands a long past over in slices, between which others get their turn (F2)', async () => {
    const texts = Array.from({ length: 90 }, (_, index) => `text ${index}`);
    const { entry, feed } = follow(texts);
    expect(entry.events.length).toBeGreaterThan(limits.drainFramesMax);
    const seen: number[] = [];
    feed.subscribe(entry, 1, ({ sequence }) => seen.push(sequence));
    await nextTurn();
    expect(seen).toEqual(upTo(limits.drainFramesMax));
    await turns();
    expect(seen).toEqual(upTo(entry.events.length));
  });
});
