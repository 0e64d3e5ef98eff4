/**
 * The invariants of a host, over a real journal. The world around it is one
 * thread, so that each test decides what happens before what.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ActorJson } from '../../src/actors/actor.ts';
import type { EffectClass } from '../../src/actors/intention.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { type ActorId, actorId, intentionKey, type RunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { foldRun } from '../../src/runtime/fold-run.ts';
import { contentOf, temporaryFolder } from '../journal/journal-fixture.ts';
import { type Answer, type Deed, generated, World, written } from './world.ts';

const agentOfFirst = actorId('run/document-1/supervisor/echo');
const pipelineOfFirst = actorId('run/document-1');
const simple = {
  name: 'demo',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
};
const withReport = {
  ...simple,
  steps: [
    ...simple.steps,
    {
      id: 'report',
      needs: ['echo'],
      write: { path: 'report.md', template: '{{#items}}{{steps.echo.output}} {{/items}}' },
    },
  ],
};
const echo: Answer = (operation, args) =>
  operation === 'file.write' ? written : generated(`heard ${JSON.stringify(args.messages)}`);
const nobody: Answer = () => null;

function world(hosts = 1, liveActorsMax = 1_000, gridBytes = 2 ** 20): World {
  const made = new World(temporaryFolder(), hosts, liveActorsMax, { gridBytes });
  onTestFinished(() => made.close());
  return made;
}

function endOf(of: World, run: RunId) {
  return of.follower.index.get(run)?.ended?.body;
}

/** Until the agents have asked the model and wait. */
function untilAsked(of: World): void {
  of.play(nobody);
}

function eventsIn(deeds: readonly Deed[], actor: string): number[] {
  return deeds.flatMap((deed) =>
    deed.type === 'append'
      ? deed.records
          .filter((record) => record.type === 'event' && record.actor === actor)
          .map((record) => record.actorSequence)
      : [],
  );
}

/** Sends every idle actor of every host to sleep. */
function hibernateAll(of: World): number {
  of.clock.advance(limits.actorIdleMsMax);
  return of.hosts.reduce((sum, host) => sum + host.hibernateIdle(), 0);
}

describe('the order of a step (H1)', () => {
  test('a record is claimed before any send or act of its step is released', () => {
    const of = world(2);
    const run = of.start(withReport, ['one', 'two', 'three']);
    of.play(echo);
    expect(endOf(of, run)?.status).toBe('succeeded');
    const claimed = new Set<string>();
    let released = 0;
    for (const deed of of.deeds) {
      if (deed.type === 'append') {
        for (const { type, actor, actorSequence } of deed.records) {
          if (type === 'event') claimed.add(`${run}:${actor}:${actorSequence}:`);
        }
      } else if (deed.type === 'send' || deed.type === 'act') {
        const key = deed.type === 'send' ? deed.envelope.cause : deed.open.key;
        expect(claimed).toContain(String(key).replace(/\d+$/, ''));
        released += 1;
      }
    }
    expect(released).toBeGreaterThan(8);
  });

  test('the record of a step names its cause and follows the one before', () => {
    const of = world();
    const run = of.start(simple, ['one']);
    of.play(echo);
    const entry = of.follower.entry(run);
    const sequences = entry.events.map((_, index) => index + 1);
    const last = new Map<string, Buffer>();
    for (const { record } of of.follower.records(entry, sequences)) {
      const actor = String(record.actor);
      expect(record.previousDigest).toEqual(last.get(actor) ?? null);
      last.set(actor, record.digest);
      if (actor !== 'run') expect(record.cause).not.toBeNull();
    }
    expect(last.size).toBe(5);
  });

  test('the end of a run is one batch with the event that ends it', () => {
    const of = world();
    of.start(simple, ['one']);
    of.play(echo);
    const batch = of.deeds.find(
      (deed) => deed.type === 'append' && deed.records.some(({ type }) => type === 'run-ended'),
    );
    expect(batch?.type === 'append' && batch.records.map(({ type }) => type).slice(-2)).toEqual([
      'event',
      'run-ended',
    ]);
  });
});

describe('room (H2)', () => {
  test('without room no step begins, and mail is still taken', () => {
    const of = world();
    of.start(simple, ['one']);
    of.room = () => false;
    of.settle();
    expect(of.deeds).toEqual([]);
    expect(of.host(0).hasWork).toBe(true);
    of.room = () => true;
    of.settle();
    expect(eventsIn(of.deeds, 'run')).toEqual([1]);
  });

  test('room that ends between two steps ends the turn', () => {
    const of = world();
    of.start(simple, ['one', 'two']);
    of.settle();
    of.answer(echo);
    const before = of.host(0).steps;
    let left = 2;
    of.room = () => {
      left -= 1;
      return left >= 0;
    };
    expect(of.host(0).runSteps(1_000)).toBe(2);
    expect(of.host(0).steps).toBe(before + 2);
    expect(of.host(0).hasWork).toBe(true);
  });

  test('a turn is as long as it was asked to be', () => {
    const of = world();
    of.start(simple, ['one']);
    of.settle();
    of.answer(nobody);
    expect(of.host(0).runSteps(2)).toBe(2);
    expect(of.host(0).hasWork).toBe(true);
  });
});

describe('sleep (H3)', () => {
  test('an actor with mail does not hibernate, an idle one leaves a snapshot', () => {
    const of = world();
    const run = of.start(simple, ['one']);
    untilAsked(of);
    const asked = of.acts[0];
    if (asked === undefined) throw new Error('the agent has asked');
    of.deliverOutcome(asked, generated('one'));
    of.clock.advance(limits.actorIdleMsMax);
    const live = of.host(0).liveActors;
    expect(of.host(0).hibernateIdle()).toBe(live - 1);
    expect(of.directory.lookup(run, agentOfFirst).state).toBe('owned');
    expect(of.directory.lookup(run, pipelineOfFirst)).toEqual({
      state: 'hibernated',
      epoch: 1,
      sequence: 2,
    });
    of.flush();
    const snapshot = of.follower.entry(run).actors.get(pipelineOfFirst)?.snapshot;
    expect(snapshot?.sequence).toBe(2);
  });

  test('an actor that was used just now stays', () => {
    const of = world();
    of.start(simple, ['one']);
    untilAsked(of);
    of.clock.advance(limits.actorIdleMsMax - 1);
    expect(of.host(0).hibernateIdle()).toBe(0);
  });

  test('an outcome that reaches another host wakes the actor there, and the run ends alike', () => {
    const awake = world(2);
    const undisturbed = awake.start(withReport, ['one', 'two']);
    awake.play(echo);

    const of = world(2);
    const run = of.start(withReport, ['one', 'two']);
    untilAsked(of);
    const before = of.directory.lookup(run, agentOfFirst);
    expect(hibernateAll(of)).toBe(8);
    expect(of.hosts.map((host) => host.liveActors)).toEqual([0, 0]);
    const other = before.state === 'owned' && before.host === 0 ? 1 : 0;
    of.answer(echo, other);
    expect(of.directory.lookup(run, agentOfFirst)).toEqual({
      state: 'owned',
      host: other,
      epoch: 2,
    });
    of.play(echo);
    expect(endOf(of, run)).toEqual(endOf(awake, undisturbed));
    expect(endOf(of, run)?.status).toBe('succeeded');
  });

  test.each([0, 1])('the host %i wakes an actor from the grid and asks nobody', (asleepAt) => {
    const of = world(2);
    const run = of.start(simple, ['one']);
    untilAsked(of);
    const entry = of.follower.entry(run);
    const before = entry.actors.get(agentOfFirst)?.events.length;
    hibernateAll(of);
    expect(of.answer(echo, asleepAt)).toBe(1);
    expect(of.directory.lookup(run, agentOfFirst)).toEqual({
      state: 'owned',
      host: asleepAt,
      epoch: 2,
    });
    expect(of.host(asleepAt).liveActors).toBe(1);
    of.play(echo);
    expect(of.deeds.filter(({ type }) => type === 'wake')).toEqual([]);
    expect(endOf(of, run)?.status).toBe('succeeded');
    expect(entry.actors.get(agentOfFirst)?.events).toHaveLength((before ?? 0) + 1);
  });

  test('an actor whose snapshot was damaged in shared memory wakes from the journal', () => {
    const of = world(1);
    const text = 'a document that nobody else has';
    const run = of.start(simple, [text]);
    untilAsked(of);
    const events = of.follower.entry(run).actors.get(agentOfFirst)?.events.length ?? 0;
    hibernateAll(of);
    const memory = Buffer.from(of.directoryMemory);
    let flipped = 0;
    for (let at = memory.indexOf(text); at >= 0; at = memory.indexOf(text, at + 1)) {
      memory.writeUInt8(memory.readUInt8(at) ^ 4, at);
      flipped += 1;
    }
    expect(flipped).toBeGreaterThan(0);
    of.play(echo);
    expect(of.directory.counts.damaged).toBeGreaterThan(0);
    expect(of.deeds.filter(({ type }) => type === 'wake').length).toBe(of.directory.counts.damaged);
    expect(endOf(of, run)?.status).toBe('succeeded');
    expect(of.follower.entry(run).actors.get(agentOfFirst)?.events).toHaveLength(events + 1);
  });

  test('mail for the former owner wakes the actor there; what comes meanwhile waits', () => {
    const of = world(1, 1_000, 0);
    const run = of.start(simple, ['one']);
    untilAsked(of);
    hibernateAll(of);
    const asked = of.acts[0];
    if (asked === undefined) throw new Error('the agent has asked');
    of.deliverOutcome(asked, generated('one'));
    of.deliverOutcome(asked, generated('two'));
    expect(of.deeds.filter(({ type }) => type === 'wake')).toHaveLength(1);
    of.acts.length = 0;
    of.play(echo);
    expect(endOf(of, run)?.status).toBe('succeeded');
    const events = of.follower.entry(run).actors.get(agentOfFirst)?.events;
    expect(events).toHaveLength(2);
  });

  test('mail for an actor that another host has just claimed goes to that host', () => {
    const of = world(2);
    const run = of.start(simple, ['one']);
    untilAsked(of);
    hibernateAll(of);
    const claim = of.directory.claim.bind(of.directory);
    of.directory.claim = (of_, actor, to) => {
      claim(of_, actor, { ...to, host: 1 });
      return claim(of_, actor, to);
    };
    of.deeds.length = 0;
    const asked = of.acts[0];
    if (asked === undefined) throw new Error('the agent has asked');
    of.deliverOutcome(asked, generated('yes'), 0);
    expect(of.deeds).toEqual([
      { type: 'send', envelope: expect.objectContaining({ run, to: agentOfFirst }) },
    ]);
    expect(of.directory.lookup(run, agentOfFirst)).toMatchObject({ state: 'owned', host: 1 });
  });

  test('a run that sleeps between all of its steps replays to the same hashes', () => {
    const of = world(2);
    const run = of.start(withReport, ['one', 'two']);
    for (let turn = 0; turn < 50 && endOf(of, run) === undefined; turn += 1) {
      of.settle();
      hibernateAll(of);
      if (of.answer(echo, turn % 2) === 0) of.settle();
      of.flush();
    }
    expect(endOf(of, run)?.status).toBe('succeeded');
    const entry = of.follower.entry(run);
    const sequences = entry.events.map((_, index) => index + 1);
    const folded = foldRun(of.follower.records(entry, sequences), of.follower.blobsOf(run), {
      keepSends: false,
    });
    expect(folded.divergence).toBeNull();
    expect(folded.events).toBe(entry.events.length);
  });

  test('too many live actors: those that were idle longest leave first, whenever they were made', () => {
    const of = world(1, 20);
    const early = of.start(simple, ['one']);
    of.settle();
    const [waiting] = of.acts.splice(0);
    if (waiting === undefined) throw new Error('the document is being read');
    const texts = Array.from({ length: 12 }, (_, index) => `text ${index}`);
    const run = of.start(simple, texts);
    of.play(nobody);
    of.clock.advance(10);
    of.acts.splice(0, Number.POSITIVE_INFINITY, waiting);
    of.play(nobody);
    const live = of.host(0).liveActors;
    expect(live).toBeGreaterThan(20);
    expect(of.host(0).hibernateIdle()).toBe(live - 20);
    expect(of.directory.lookup(early, pipelineOfFirst).state).toBe('owned');
    expect(of.directory.lookup(early, actorId('run')).state).toBe('hibernated');
    expect(of.directory.lookup(run, actorId('run')).state).toBe('hibernated');
  });
});

describe('a run that is over', () => {
  test('is not brought back by a first message that comes late', () => {
    const of = world();
    const run = of.start(simple, ['one']);
    of.play(nobody);
    const live = of.host(0).liveActors;
    of.host(0).forgetRun(run);
    expect(live).toBeGreaterThan(0);
    of.directory.insert(run, actorId('run/document-9'), { host: 0, epoch: 1 });
    const asked = of.acts.length;
    of.host(0).deliver({
      run,
      to: actorId('run/document-9'),
      from: actorId('run'),
      number: 1,
      cause: null,
      machine: 'supervisor',
      event: {
        type: 'start',
        machine: 'supervisor',
        self: actorId('run/document-9'),
        parent: actorId('run'),
        definition: '{}',
        seed: 1,
      },
    });
    of.play(nobody);
    expect(of.host(0).liveActors).toBe(0);
    expect(of.acts).toHaveLength(asked);
  });
});

describe('outcomes (H4)', () => {
  test('the first outcome of a key is folded, a second one changes nothing', () => {
    const of = world();
    const run = of.start(simple, ['one']);
    untilAsked(of);
    const asked = of.acts[0];
    if (asked === undefined) throw new Error('the agent has asked');
    of.deliverOutcome(asked, generated('first'));
    of.deliverOutcome(asked, generated('second'));
    of.acts.length = 0;
    of.play(echo);
    const outcomes = JSON.stringify(
      of.follower.event(of.follower.entry(run), agentEvents(of, run).at(-1) ?? 0).event,
    );
    expect(agentEvents(of, run)).toHaveLength(2);
    expect(outcomes).toContain('first');
  });

  test('an outcome under another key is not folded', () => {
    const of = world();
    const run = of.start(simple, ['one']);
    untilAsked(of);
    const asked = of.acts[0];
    if (asked === undefined) throw new Error('the agent has asked');
    const sequence = 9 as never;
    const key = intentionKey({ run, actor: agentOfFirst, sequence, index: 0 });
    of.deliverOutcome({ ...asked, open: { ...asked.open, key } }, generated('stray'));
    of.settle();
    expect(agentEvents(of, run)).toHaveLength(1);
    of.play(echo);
    expect(endOf(of, run)?.status).toBe('succeeded');
  });

  test('a late outcome for an ended actor is dropped', () => {
    const of = world();
    const run = of.start(simple, ['one']);
    untilAsked(of);
    const asked = of.acts[0];
    if (asked === undefined) throw new Error('the agent has asked');
    of.play(echo);
    const events = of.follower.entry(run).events.length;
    of.deliverOutcome(asked, generated('late'));
    of.settle();
    expect(of.follower.entry(run).events.length).toBe(events);
  });
});

function agentEvents(of: World, run: RunId, actor: ActorId = agentOfFirst): number[] {
  of.flush();
  return (of.follower.entry(run).actors.get(actor)?.events ?? []).map((index) => index + 1);
}

/** An agent that waits for the model, as recovery hands it to a host; its intention has the given effect. */
function adoptedAgent(effect: EffectClass) {
  const of = world();
  const run = of.start(simple, ['one']);
  untilAsked(of);
  hibernateAll(of);
  of.flush();
  const entry = of.follower.entry(run);
  const folded = foldRun(
    of.follower.records(
      entry,
      entry.events.map((_, index) => index + 1),
    ),
    of.follower.blobsOf(run),
    { keepSends: true },
  );
  const found = folded.actors.find(({ actor }) => actor.id === agentOfFirst);
  const open = found?.actor.open.generate;
  if (found === undefined || open === undefined) throw new Error('the agent waits');
  const intention = { ...open.intention, effect };
  const actor: ActorJson = { ...found.actor, open: { generate: { ...open, intention } } };
  of.acts.length = 0;
  of.deeds.length = 0;
  const epoch = of.directory.claim(run, agentOfFirst, { host: 0, epoch: 1 })?.epoch;
  if (epoch === undefined) throw new Error('the agent sleeps');
  of.host(0).adopt({
    actor,
    epoch,
    previousDigest: found.digest,
    begins: false,
    resume: ['generate'],
  });
  return { of, run, key: open.key };
}

describe('a step that cannot be taken or released (H5)', () => {
  test('an intention that does not fit the bus is refused, and its actor goes on', () => {
    const of = world();
    const run = of.start(simple, ['one']);
    of.tooLarge = (what) => 'intention' in what && what.intention.tag === 'generate';
    of.play(echo);
    expect(of.broken).toEqual([]);
    expect(endOf(of, run)).toMatchObject({
      status: 'failed',
      error: { code: 'BUS_MESSAGE_TOO_LARGE' },
      outputs: { documents: { handedToHuman: 1 } },
    });
    const last = of.follower.event(of.follower.entry(run), agentEvents(of, run).at(-1) ?? 0);
    expect(last.event).toMatchObject({
      outcome: { status: 'refused', error: { code: 'BUS_MESSAGE_TOO_LARGE' } },
    });
  });

  test('a message that does not fit the bus ends its run here; the other runs go on', () => {
    const of = world(2);
    const [first, second] = [of.start(simple, ['one']), of.start(simple, ['two'])];
    of.tooLarge = (what) => 'event' in what && what.run === first;
    of.play(echo);
    expect(of.broken).toEqual([{ run: first, message: 'The message does not fit the bus.' }]);
    expect(of.directory.lookup(first, actorId('run'))).toEqual({ state: 'absent' });
    expect(endOf(of, first)).toBeUndefined();
    expect(endOf(of, second)?.status).toBe('succeeded');
  });

  test('an event that breaks a machine is not journaled', () => {
    const of = world();
    const [first, second] = [of.start(simple, ['one']), of.start(simple, ['two'])];
    untilAsked(of);
    const events = of.follower.entry(first).events.length;
    const asked = of.acts.find((act) => act.run === first);
    if (asked === undefined) throw new Error('the agent has asked');
    of.deliverOutcome(asked, { status: 'completed', value: null });
    of.play(echo);
    expect(of.broken).toMatchObject([{ run: first }]);
    expect(of.follower.entry(first).events).toHaveLength(events);
    expect(endOf(of, second)?.status).toBe('succeeded');
  });
});

describe('after a restart', () => {
  test.each(['pure', 'idempotent'] as const)(
    'an open %s intention is carried out again under its key',
    (effect) => {
      const { of, key } = adoptedAgent(effect);
      expect(of.acts.map(({ open }) => open.key)).toEqual([key]);
    },
  );

  test('an open intention that may happen once is unknown, and nobody repeats it', () => {
    const { of, run } = adoptedAgent('once');
    of.settle();
    expect(of.acts).toEqual([]);
    const last = agentEvents(of, run).at(-1) ?? 0;
    expect(of.follower.event(of.follower.entry(run), last).event).toMatchObject({
      type: 'outcome-unknown',
      error: { code: 'OUTCOME_UNKNOWN' },
    });
  });

  test('a first message that a later one has overtaken still makes the actor', () => {
    const of = world();
    const posted: Parameters<World['post']>[1][] = [];
    of.post = (_, envelope) => posted.push(envelope);
    const run = of.start(simple, ['one']);
    of.cancel(run);
    for (const envelope of posted.toReversed()) of.host(0).deliver(envelope);
    of.play(nobody);
    expect(endOf(of, run)?.status).toBe('cancelled');
  });
});

describe('the end of a run', () => {
  test('a run that is forgotten leaves neither actors nor their places in the directory', () => {
    const of = world();
    const run = of.start(simple, ['one']);
    untilAsked(of);
    expect(of.host(0).liveActors).toBeGreaterThan(3);
    of.host(0).forgetRun(run);
    expect(of.host(0).liveActors).toBe(0);
    expect(of.directory.lookup(run, agentOfFirst)).toEqual({ state: 'absent' });
    of.answer(echo);
    expect(of.host(0).runSteps(10)).toBe(0);
  });

  test('another run on the same host goes on', () => {
    const of = world();
    const [first, second] = [of.start(simple, ['one']), of.start(simple, ['two'])];
    of.settle();
    of.host(0).forgetRun(first);
    of.play(echo);
    expect(endOf(of, first)).toBeUndefined();
    expect(endOf(of, second)?.status).toBe('succeeded');
  });

  test('a cancelled run stops what is open and ends once every outcome is there', () => {
    const of = world(2);
    const run = of.start(simple, ['one', 'two']);
    untilAsked(of);
    of.cancel(run);
    of.play(nobody);
    expect(of.deeds.filter(({ type }) => type === 'abort')).toHaveLength(2);
    expect(endOf(of, run)).toBeUndefined();
    const error = { code: 'INTENTION_ABORTED', message: 'stopped' } as const;
    of.play(() => ({ status: 'failed', error }));
    expect(endOf(of, run)).toMatchObject({ status: 'cancelled', resultHash: '' });
  });
});

describe('long histories and texts', () => {
  test('an actor leaves a snapshot after as many events as the limit says', () => {
    const of = world();
    const texts = Array.from({ length: limits.recordsPerSnapshot + 2 }, (_, index) => `t${index}`);
    const run = of.start(withReport, texts);
    of.play(echo);
    const snapshot = of.follower.entry(run).actors.get(actorId('run'))?.snapshot;
    expect(snapshot?.sequence).toBe(limits.recordsPerSnapshot);
    expect(endOf(of, run)?.status).toBe('succeeded');
  });

  test('a text that actors made and that is too large for a record is found again', () => {
    const of = world();
    const run = of.start(withReport, ['one']);
    const long = 'x'.repeat(limits.blobRecordBytesMax);
    of.play((operation) => (operation === 'file.write' ? written : generated(long)));
    expect(endOf(of, run)?.status).toBe('succeeded');
    const entry = of.follower.entry(run);
    const sequences = entry.events.map((_, index) => index + 1);
    const folded = foldRun(of.follower.records(entry, sequences), of.follower.blobsOf(run), {
      keepSends: false,
    });
    expect(folded.divergence).toBeNull();
  });

  test('a text is stored once, however many events carry it', () => {
    const of = world();
    const text = 'The quick brown fox. '.repeat(40);
    const run = of.start(simple, [text]);
    of.play(() => generated('a fox'));
    expect(endOf(of, run)?.status).toBe('succeeded');
    const { bytes, blobs } = storedBytes(of);
    expect(blobs.filter((blob) => blob === text)).toHaveLength(1);
    expect(bytes).not.toContain(text);
  });
});

/** Everything in the journal but its blobs as text, and these. */
function storedBytes(of: World): { bytes: string; blobs: string[] } {
  const bytes: string[] = [];
  const blobs: string[] = [];
  const reader = JournalReader.open(of.dataDirectory);
  for (const record of reader.advance()) {
    if (record.type === 'blob') blobs.push(contentOf(record, reader.keys).toString('utf8'));
    else bytes.push(record.body.toString('latin1'));
  }
  reader.close();
  return { bytes: bytes.join('\n'), blobs };
}
