import { describe, expect, onTestFinished, test } from 'vitest';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import type { StoredRecord } from '../../src/journal/record.ts';
import { chainHash, sha256 } from '../../src/kernel/hash.ts';
import { actorId, newRunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { canRehydrate, rehydrate } from '../../src/runtime/rehydrate.ts';
import { RunIndex, runView, stateHashOf } from '../../src/runtime/run-index.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { type Answer, generated, World, written } from './world.ts';

const definition = {
  name: 'demo',
  agents: {
    echo: {
      prompt: '{{document.text}}',
      supervise: { minConfidence: 0.5, retries: 2 },
      tools: ['calc'],
      output: { type: 'object' },
    },
  },
  tools: {
    calc: {
      actuator: 'sandbox',
      operation: 'run',
      parameters: [],
      arguments: { source: '1' },
    },
  },
  steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
  recovery: { write: { path: 'p', template: 't' } },
};
const halted = {
  status: 'completed',
  value: {
    status: 'halted',
    text: '',
    minConfidence: 0.1,
    halt: { detector: 'confidence', evidence: 'unsure' },
    usage: { promptTokens: 5, answerTokens: 1 },
  },
} as const;

/** The first document is never certain, the second calls a tool. */
const mixed: Answer = (operation, args) => {
  if (operation === 'file.write') return written;
  if (operation === 'sandbox.run') return { status: 'completed', value: 1 };
  return JSON.stringify(args).includes('one') ? halted : generated('{"tool":"calc"}');
};

function world(): World {
  const made = new World(temporaryFolder());
  onTestFinished(() => made.close());
  return made;
}

function recordsOf(dataDirectory: string): StoredRecord[] {
  const reader = JournalReader.open(dataDirectory);
  onTestFinished(() => reader.close());
  return reader.advance();
}

describe('the index of runs', () => {
  test('counts what happened, and shows it as a view', () => {
    const of = world();
    const run = of.start(definition, ['one', 'two'], 9);
    of.play(mixed);
    const view = runView(of.follower.entry(run), '/w');
    expect(view).toMatchObject({
      id: run,
      pipeline: 'demo',
      status: 'succeeded',
      createdAt: 1_000_000,
      endedAt: 1_000_000,
      usage: {
        generations: 4,
        promptTokens: 18,
        answerTokens: 5,
        interventions: 2,
        toolCalls: 1,
      },
      progress: { stepsDone: 2, handedToHuman: 1 },
      outputs: { workspace: '/w', documents: { total: 2, handedToHuman: 1 } },
      error: null,
    });
    expect(view.resultHash).toMatch(/^[0-9a-f]{64}$/);
  });

  test('its state hash is the chain of the actor hashes in stream order (I2)', () => {
    const of = world();
    const run = of.start(definition, ['one', 'two']);
    const entry = () => of.follower.entry(run);
    of.flush();
    expect(stateHashOf(entry())).toBe(sha256(''));
    expect(runView(entry(), '/w')).toMatchObject({ status: 'running', resultHash: null });
    of.play(mixed);
    let chained: string = sha256('');
    for (let sequence = 1; sequence <= entry().events.length; sequence += 1) {
      const event = of.follower.event(entry(), sequence);
      chained = chainHash(chained, event.actorHash);
      expect(event.stateHash).toBe(chained);
    }
    expect(stateHashOf(entry())).toBe(chained);
  });

  test('of the same journal is the same, read at once or record by record (I1)', () => {
    const of = world();
    const runs = [of.start(definition, ['one']), of.start(definition, ['two'])];
    of.play(mixed);
    const records = recordsOf(of.dataDirectory);
    const index = new RunIndex((run) => of.follower.blobsOf(run));
    const changes = records.map((record) => index.apply(record).type);
    expect(index.all().map(({ id }) => id)).toEqual(runs);
    expect(index.open()).toEqual([]);
    for (const run of runs) expect(index.get(run)).toEqual(of.follower.entry(run));
    expect(changes.filter((type) => type === 'ended')).toHaveLength(2);
    expect(changes.filter((type) => type === 'event')).toHaveLength(
      runs.reduce((sum, run) => sum + of.follower.entry(run).events.length, 0),
    );
  });

  test('records of a run that never began are nothing to it', () => {
    const of = world();
    of.start(definition, ['one']);
    of.play(mixed);
    const index = new RunIndex((run) => of.follower.blobsOf(run));
    for (const record of recordsOf(of.dataDirectory)) {
      if (record.type !== 'run-started') expect(index.apply(record)).toEqual({ type: 'none' });
    }
    expect(index.all()).toEqual([]);
  });
});

describe('following the journal', () => {
  test('shows what is durable and nothing else, and tells each change once', () => {
    const of = world();
    const other = new JournalFollower(of.dataDirectory);
    onTestFinished(() => other.close());
    const run = of.start(definition, ['two']);
    of.host(0).runSteps(10);
    const changes: string[] = [];
    const advance = () => other.advance(undefined, ({ type }) => changes.push(type));
    advance();
    expect(changes).toEqual([]);
    expect(() => other.entry(run)).toThrowError(expect.objectContaining({ code: 'RUN_NOT_FOUND' }));
    of.play(mixed);
    advance();
    const told = changes.length;
    advance();
    expect(changes).toHaveLength(told);
    expect(other.entry(run)).toEqual(of.follower.entry(run));
    for (const id of ['', 'nobody', newRunId()]) {
      expect(() => other.entry(id)).toThrowError(
        expect.objectContaining({ code: 'RUN_NOT_FOUND' }),
      );
    }
  });
});

describe('waking an actor', () => {
  const agent = actorId('run/document-1/supervisor/echo');

  test('waits until its snapshot is durable, and finds it as it fell asleep', () => {
    const of = world();
    const run = of.start(definition, ['two']);
    of.play(() => null);
    const wake = { host: 0, run, actor: agent, sequence: 1, epoch: 2 };
    expect(canRehydrate(of.follower.entry(run), wake)).toBe(false);
    of.clock.advance(limits.actorIdleMsMax);
    of.host(0).hibernateIdle();
    expect(canRehydrate(of.follower.entry(run), wake)).toBe(false);
    of.flush();
    expect(canRehydrate(of.follower.entry(run), wake)).toBe(true);
    expect(canRehydrate(of.follower.entry(run), { ...wake, sequence: 2 })).toBe(false);
    const adopt = rehydrate(of.follower, of.follower.entry(run), wake);
    expect(adopt).toMatchObject({
      epoch: 2,
      begins: false,
      resume: [],
      actor: { id: agent, sequence: 1 },
    });
    expect(Object.keys(adopt.actor.open)).toEqual(['generate']);
    const [at = 0] = of.follower.entry(run).actors.get(agent)?.events ?? [];
    const position = of.follower.entry(run).events[at]?.position;
    if (position === undefined) throw new Error('the event has a position');
    expect(adopt.previousDigest).toBe(of.follower.read(position).digest.toString('hex'));
  });

  test('folds the events after the snapshot', () => {
    const of = world();
    const texts = Array.from({ length: limits.recordsPerSnapshot + 3 }, (_, index) => `${index}`);
    const run = of.start(definition, texts);
    of.play((operation, args) => {
      const last = JSON.stringify(args).includes(`"${texts.length - 1}"`);
      return last ? null : mixed(operation, args, of.acts[0] ?? (undefined as never));
    });
    const root = actorId('run');
    const entry = of.follower.entry(run);
    const { snapshot, events } = entry.actors.get(root) ?? { snapshot: null, events: [] };
    expect(snapshot?.sequence).toBe(limits.recordsPerSnapshot);
    expect(events.length).toBeGreaterThan(limits.recordsPerSnapshot);
    const wake = { host: 0, run, actor: root, sequence: 1, epoch: 2 };
    const { actor } = rehydrate(of.follower, entry, wake);
    expect(actor.sequence).toBe(events.length);
    expect(Object.keys((actor.state.context as { items: object }).items)).toHaveLength(
      events.length - 1,
    );
  });
});
