import { expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { diffRuns } from '../../src/runtime/run-diff.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { rewriteJournal } from './rewritten-journal.ts';
import { type Answer, generated, World, writingPipeline, written } from './world.ts';

/** Answers as the documents say, but for one. */
function saying(other: string | null): Answer {
  return (operation, args, { actor }) => {
    if (operation !== 'inference.generate') return operation === 'file.write' ? written : null;
    const isOther = actor.includes('document-2') && other !== null;
    return generated(isOther ? other : `heard ${JSON.stringify((args as JsonObject).messages)}`);
  };
}

/** Two runs of one world, and how they differ. */
function diffOf(first: Answer, second: Answer, documents = ['one', 'two', 'three']) {
  const world = new World(temporaryFolder());
  onTestFinished(() => world.close());
  const left = world.start(writingPipeline, ['one', 'two', 'three']);
  world.play(first);
  world.clock.advance(60_000);
  const right = world.start(writingPipeline, documents);
  world.play(second);
  const [one, other] = [world.follower.entry(left), world.follower.entry(right)];
  return { diff: diffRuns(world.follower, one, other), one, other };
}

test('two runs that heard the same are the same, whatever their times and ids', () => {
  const { diff, one } = diffOf(saying(null), saying(null));
  expect(diff).toMatchObject({ equal: true, began: [], ended: [], partings: [], first: null });
  expect(diff.shared).toBe(one.events.length);
  expect(one.events.length).toBeGreaterThan(10);
});

test('they part at the outcome that differs, with what it says and what it changed', () => {
  const { diff, one, other } = diffOf(saying(null), saying('something else'));
  expect(diff.equal).toBe(false);
  const [first] = diff.partings;
  expect(first?.actor).toContain('document-2');
  const [mine, theirs] = first?.sequences ?? [];
  expect(diff.first?.event).toContainEqual({
    path: '/outcome/value/text',
    before: expect.stringContaining('heard'),
    after: 'something else',
  });
  expect(JSON.stringify(diff.first?.state)).toContain('something else');
  expect(diff.outcome).toMatchObject({ ...first, changes: diff.first?.event });
  // Whatever else parts comes later in both, and nothing of the other documents does.
  for (const { actor, sequences } of diff.partings.slice(1)) {
    expect(sequences[0] ?? Number.POSITIVE_INFINITY).toBeGreaterThan(mine ?? 0);
    expect(sequences[1] ?? Number.POSITIVE_INFINITY).toBeGreaterThan(theirs ?? 0);
    expect(actor).not.toMatch(/document-[13]/);
  }
  expect(diff.shared).toBeLessThan(one.events.length);
  expect(diff.events).toEqual([one.events.length, other.events.length]);
  expect(diff.ended.map(({ path }) => path)).toContain('/resultHash');
});

test('an actor that only one run has parts at its first event', () => {
  const { diff, other } = diffOf(saying(null), saying(null), ['one', 'two']);
  const lone = diff.partings.find(({ actor }) => actor === 'run/document-3');
  expect(lone).toMatchObject({ actorSequence: 1, sequences: [expect.any(Number), null] });
  expect(diff.began.some(({ path }) => path.startsWith('/documents/2'))).toBe(true);
  expect(other.actors.has('run/document-3' as never)).toBe(false);
});

test('a run is compared in either direction with the same partings', () => {
  const world = new World(temporaryFolder());
  onTestFinished(() => world.close());
  const entries = [saying(null), saying('no')].map((answer) => {
    const run = world.start(writingPipeline, ['one', 'two']);
    world.play(answer);
    return world.follower.entry(run);
  });
  const [one, other] = entries;
  if (one === undefined || other === undefined) throw new Error('two runs');
  const there = diffRuns(world.follower, one, other);
  const back = diffRuns(world.follower, other, one);
  expect(back.partings.map(({ actor, actorSequence }) => [actor, actorSequence]).sort()).toEqual(
    there.partings.map(({ actor, actorSequence }) => [actor, actorSequence]).sort(),
  );
  expect(back.first?.event.map(({ before, after }) => [after, before])).toEqual(
    there.first?.event.map(({ before, after }) => [before, after]),
  );
});

test('runs that began differently part at once, and the first other outcome is named', () => {
  const world = new World(temporaryFolder());
  onTestFinished(() => world.close());
  const renamed = { ...writingPipeline, name: 'another' };
  const entries = (
    [
      [writingPipeline, null],
      [renamed, 'no'],
    ] as const
  ).map(([pipeline, other]) => {
    const run = world.start(pipeline, ['one', 'two']);
    world.play(saying(other));
    return world.follower.entry(run);
  });
  const [one, other] = entries;
  if (one === undefined || other === undefined) throw new Error('two runs');
  const diff = diffRuns(world.follower, one, other);
  expect(diff.shared).toBe(0);
  expect(diff.partings[0]).toMatchObject({ actor: 'run', actorSequence: 1 });
  expect(diff.outcome?.actor).toContain('document-2');
  const text = { path: '/outcome/value/text', before: expect.any(String), after: 'no' };
  expect(diff.outcome?.changes).toEqual([text]);
});

test.each([
  ['state hash', { hash: '0'.repeat(64) }],
  ['intentions', { intentions: [] }],
  ['machine version', { machine: 'pipeline@0' }],
])('an equal event with another %s is a parting, without a state to show', (_what, change) => {
  const folder = temporaryFolder();
  const world = new World(folder);
  const left = world.start(writingPipeline, ['one']);
  world.play(saying(null));
  const right = world.start(writingPipeline, ['one']);
  world.play(saying(null));
  world.close();
  const changed = temporaryFolder();
  rewriteJournal(folder, changed, (body, { type, run, actor, actorSequence }) => {
    const isIt = run === right && actor === 'run/document-1' && actorSequence === 1;
    if (type === 'event' && isIt) Object.assign(body, change);
  });
  const follower = new JournalFollower(changed);
  onTestFinished(() => follower.close());
  follower.advance();
  const diff = diffRuns(follower, follower.entry(left), follower.entry(right));
  expect(diff.partings.map(({ actor, actorSequence }) => [actor, actorSequence])).toEqual([
    ['run/document-1', 1],
  ]);
  expect(diff).toMatchObject({ equal: false, first: { event: [], state: null }, outcome: null });
});
