import { describe, expect, onTestFinished, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { readEventsPage } from '../../src/runtime/events-page.ts';
import { ReadOnlyRuntime } from '../../src/runtime/read-only.ts';
import type { EventView } from '../../src/runtime/views.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { generated, World } from './world.ts';

const definition = {
  name: 'demo',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
};

/** A run of several documents whose every answer has so many characters of three bytes each. */
function runOf(answerCharacters: number) {
  const world = new World(temporaryFolder());
  onTestFinished(() => world.close());
  const run = world.start(definition, ['one', 'two', 'three', 'four', 'five']);
  world.play(() => generated('€'.repeat(answerCharacters)));
  world.flush();
  const entry = world.follower.entry(run);
  const page = (from: number, limit: number) =>
    readEventsPage(world.follower, entry, { from, limit });
  return { world, run, entry, page };
}

function bytesOf(events: readonly EventView[]): number {
  return events.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0);
}

function pagesOf(
  read: (from: number) => readonly EventView[],
  count: number,
): (readonly EventView[])[] {
  const pages: (readonly EventView[])[] = [];
  for (let next = 1; next <= count; ) {
    const page = read(next);
    expect(page.map(({ sequence }) => sequence)).toEqual(page.map((_, index) => next + index));
    expect(page.length).toBeGreaterThan(0);
    pages.push(page);
    next += page.length;
  }
  return pages;
}

describe('a page of events', () => {
  test('of small events is bounded by their number', () => {
    const { entry, page } = runOf(10);
    expect(page(1, 7).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(page(0, 1)).toEqual(page(1, 1));
    expect(page(1, 1_000)).toHaveLength(entry.events.length);
    expect(page(entry.events.length, 1_000)).toHaveLength(1);
    expect(page(entry.events.length + 1, 1_000)).toEqual([]);
  });

  test('of large events is bounded by its bytes, and the next one goes on from there', () => {
    const { world, run, entry, page } = runOf(150_000);
    const pages = pagesOf((from) => page(from, 1_000), entry.events.length);
    expect(pages.length).toBeGreaterThan(1);
    pages.forEach((events, index) => {
      expect(bytesOf(events)).toBeLessThanOrEqual(limits.eventsPageBytesMax);
      const following = pages[index + 1]?.slice(0, 1) ?? [];
      // No page is shorter than it must be.
      if (following.length > 0) {
        expect(bytesOf([...events, ...following])).toBeGreaterThan(limits.eventsPageBytesMax);
      }
    });
    const readOnly = new ReadOnlyRuntime(world.dataDirectory);
    onTestFinished(() => readOnly.close());
    const count = readOnly.run(run).events;
    expect(pagesOf((from) => readOnly.events(run, { from, limit: 1_000 }), count)).toEqual(pages);
  });

  test('holds an event that is larger than a page, alone', () => {
    const { entry, page } = runOf(limits.eventsPageBytesMax / 3 + 1);
    const pages = pagesOf((from) => page(from, 1_000), entry.events.length);
    const large = pages.filter((events) => bytesOf(events) > limits.eventsPageBytesMax);
    expect(large.length).toBeGreaterThan(0);
    expect(large.every((events) => events.length === 1)).toBe(true);
  });
});
