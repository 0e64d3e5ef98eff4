/**
 * A replay is worth what it finds. Each test here changes one thing that a
 * journal says and expects the replay to name that event, and no later one.
 */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Actor, actorToJson } from '../../src/actors/actor.ts';
import { actorHash, stateFromJson } from '../../src/actors/step.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { journalFolder } from '../../src/journal/data-folders.ts';
import { nodeFilePort } from '../../src/journal/file-port.ts';
import { recordCrc } from '../../src/journal/record.ts';
import { alignRecord, recordDescriptor } from '../../src/journal/record-descriptor.ts';
import { readSegmentHeader, segmentPath } from '../../src/journal/segment.ts';
import { hashJson, sha256 } from '../../src/kernel/hash.ts';
import { actorId, type RunId } from '../../src/kernel/ids.ts';
import { diffJson } from '../../src/kernel/json-diff.ts';
import { eventOf } from '../../src/runtime/event-record.ts';
import { foldRun, replayStep, type StreamRecord, undelivered } from '../../src/runtime/fold-run.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { CpuPool } from '../../src/runtime/pool/client.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { replayRun } from '../../src/runtime/replay.ts';
import { replayShard } from '../../src/runtime/replay-run.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { type Change, rewriteJournal } from './rewritten-journal.ts';
import { generated, World, written } from './world.ts';

const definition = {
  name: 'demo',
  agents: {
    echo: { prompt: '{{document.text}}' },
    second: { prompt: 'after {{steps.echo.output}}' },
  },
  steps: [
    { id: 'echo', agent: 'echo', map: 'documents' },
    { id: 'second', agent: 'second', map: 'documents', needs: ['echo'] },
    { id: 'report', needs: ['second'], write: { path: 'r.md', template: '{{items}}' } },
  ],
};

const hashOfTwo = sha256('two');

interface Recorded {
  readonly folder: string;
  readonly run: RunId;
  readonly entries: readonly StreamRecord[];
  readonly world: World;
}

/** A finished run in a data directory. */
function record(): Recorded {
  const folder = temporaryFolder();
  openDataDirectory(folder, 0).release();
  const world = new World(folder, 2);
  onTestFinished(() => world.close());
  const run = world.start(definition, ['one', 'two']);
  world.play((operation) => (operation === 'file.write' ? written : generated('yes, indeed')));
  const entry = world.follower.entry(run);
  const sequences = entry.events.map((_, index) => index + 1);
  return { folder, run, entries: [...world.follower.records(entry, sequences)], world };
}

function fold(of: Recorded, entries: readonly StreamRecord[]) {
  return foldRun(entries, of.world.follower.blobsOf(of.run), { keepSends: true });
}

/** The entries with the body of one of them changed. */
function changed(
  { entries }: Recorded,
  sequence: number,
  change: (body: Record<string, unknown>) => void,
): StreamRecord[] {
  return entries.map((entry) => {
    if (entry.sequence !== sequence) return entry;
    const body = JSON.parse(entry.record.body.toString('utf8')) as Record<string, unknown>;
    change(body);
    return {
      sequence,
      record: { ...entry.record, body: Buffer.from(JSON.stringify(body)) },
    };
  });
}

function bodyOf(entry: StreamRecord): { event: { type: string }; intentions: unknown[] } {
  return JSON.parse(entry.record.body.toString('utf8'));
}

describe('folding the records of a run', () => {
  test('an unchanged run has no divergence and leaves every actor where it was', () => {
    const of = record();
    const folded = fold(of, of.entries);
    expect(folded.divergence).toBeNull();
    expect(folded.events).toBe(of.entries.length);
    expect(folded.events).toBeGreaterThan(30);
    expect(undelivered(folded)).toEqual([]);
    const root = folded.actors.find(({ actor }) => actor.id === 'run');
    expect([root?.done, root?.actor.machine]).toEqual([true, 'pipeline']);
  });

  test('a changed state hash is found at its event, wherever it stands', () => {
    const of = record();
    for (const { sequence } of of.entries) {
      const folded = fold(
        of,
        changed(of, sequence, (body) => {
          const hash = String(body.hash);
          body.hash = `${hash.startsWith('0') ? '1' : '0'}${hash.slice(1)}`;
        }),
      );
      expect(folded.divergence?.sequence).toBe(sequence);
      expect(folded.divergence?.expected).not.toBe(folded.divergence?.actual);
    }
  });

  test('a changed digest, target, kind or number of intentions is found at its event', () => {
    const of = record();
    const withIntentions = of.entries.filter((entry) => bodyOf(entry).intentions.length > 0);
    expect(withIntentions.length).toBeGreaterThan(10);
    const changes: ((intentions: Record<string, unknown>[]) => void)[] = [
      ([first]) => Object.assign(first ?? {}, { digest: hashJson('another') }),
      ([first]) => Object.assign(first ?? {}, { target: 'somebody.else' }),
      ([first]) => Object.assign(first ?? {}, { kind: 'abort' }),
      (intentions) => intentions.push({ kind: 'act', target: 'file.write', digest: hashJson(1) }),
      (intentions) => intentions.pop(),
    ];
    for (const { sequence } of withIntentions) {
      for (const change of changes) {
        const folded = fold(
          of,
          changed(of, sequence, (body) => change(body.intentions as never)),
        );
        expect(folded.divergence).toMatchObject({
          sequence,
          difference: 'The intentions are others.',
        });
      }
    }
  });

  test('a changed answer of the model is found where it was folded', () => {
    const of = record();
    const answered = of.entries.find(
      (entry) => bodyOf(entry).event.type === 'outcome' && entry.record.actor?.endsWith('/echo'),
    );
    const sequence = answered?.sequence ?? 0;
    const folded = fold(
      of,
      changed(of, sequence, (body) => {
        const event = body.event as { outcome: { value: { text: string } } };
        event.outcome.value.text = 'yes, indeed!';
      }),
    );
    expect(folded.divergence).toMatchObject({
      sequence,
      actor: answered?.record.actor,
      actorSequence: answered?.record.actorSequence,
      difference: 'The state is another.',
      state: { expected: null },
    });
    const { actual, changes } = folded.divergence?.state ?? {};
    expect(JSON.stringify(actual)).toContain('yes, indeed!');
    expect(JSON.stringify(changes)).toContain('yes, indeed!');
  });

  test('a state that is the journaled one but for some changes is shown beside it', () => {
    const of = record();
    const actors = new Map<string, Actor>();
    let found = 0;
    for (const entry of of.entries) {
      const body = eventOf(entry.record, of.world.follower.blobsOf(of.run));
      const before = actors.get(body.actor);
      const stepped = replayStep(entry, body, before);
      if (!('effects' in stepped)) throw new Error('the recording diverges');
      const after = stepped.effects.actor;
      actors.set(body.actor, after);
      if (before === undefined) continue;
      // As if the machine had not changed its value then, and does now.
      const { state } = actorToJson(after);
      const { value } = actorToJson(before).state;
      if (hashJson(value) === hashJson(state.value)) continue;
      const expected = { ...state, value };
      const hash = actorHash(stateFromJson(after.state.machine, expected));
      const folded = fold(
        of,
        changed(of, entry.sequence, (written) => {
          written.hash = hash;
        }),
      );
      const made = diffJson(actorToJson(before).state as never, state as never).length;
      if (made > 8) continue;
      found += 1;
      expect(folded.divergence).toMatchObject({ sequence: entry.sequence, expected: hash });
      expect(folded.divergence?.state).toEqual({
        expected,
        actual: state,
        changes: [{ path: '/value', before: value, after: state.value }],
      });
    }
    expect(found).toBeGreaterThan(3);
  });

  test('another time of a record does not matter to a machine that does not read it', () => {
    const of = record();
    const later = of.entries.map(({ sequence, record: stored }) => ({
      sequence,
      record: { ...stored, timeMs: stored.timeMs + 1 },
    }));
    expect(fold(of, later).divergence).toBeNull();
  });

  test('a message that is missing, doubled or of another number cannot be applied', () => {
    const of = record();
    const [second] = of.entries.filter((entry) => entry.record.actorSequence === 3);
    const sequence = second?.sequence ?? 0;
    const without = of.entries.filter((entry) => entry.sequence !== sequence);
    expect(fold(of, without).divergence?.sequence).toBeGreaterThan(sequence);
    const twice = of.entries.flatMap((entry) => (entry === second ? [entry, entry] : [entry]));
    expect(fold(of, twice).divergence?.sequence).toBe(sequence);
    const renumbered = changed(of, sequence, (body) => {
      body.number = 77;
    });
    expect(fold(of, renumbered).divergence?.sequence).toBe(sequence);
  });

  test('another version or name of a machine is named', () => {
    const of = record();
    for (const machine of ['pipeline@0', 'nobody@1']) {
      const folded = fold(
        of,
        changed(of, 1, (body) => {
          body.machine = machine;
        }),
      );
      expect(folded.divergence).toMatchObject({
        sequence: 1,
        expected: machine,
        difference: `This program no longer has the machine ${machine}.`,
      });
    }
  });

  test('of several differences the first one is named, and nothing after it is folded', () => {
    const of = record();
    const change = (body: Record<string, unknown>): void => {
      body.hash = 'f'.repeat(64);
    };
    const once = { ...of, entries: changed(of, 9, change) };
    const folded = fold(of, changed(once, 4, change));
    expect(folded.divergence?.sequence).toBe(4);
    expect(folded.events).toBe(3);
  });

  test('a text that the journal has lost is BLOB_MISSING, not a divergence', () => {
    const of = record();
    expect(() => foldRun(of.entries, () => null, { keepSends: false })).toThrowError(
      expect.objectContaining({ code: 'BLOB_MISSING' }),
    );
  });
});

describe('messages that were on the way', () => {
  test('every prefix of the stream names what was sent and not yet received, in order', () => {
    const of = record();
    for (let length = 1; length <= of.entries.length; length += 1) {
      const folded = fold(of, of.entries.slice(0, length));
      expect(folded.divergence).toBeNull();
      const lost = undelivered(folded);
      const rest = of.entries.slice(length);
      const received = new Set(
        rest.map(
          (entry) => (JSON.parse(entry.record.body.toString('utf8')) as { cause: string }).cause,
        ),
      );
      for (const { cause } of lost) expect(received).toContain(cause);
      const last = new Map<string, number>();
      for (const { from, to, number } of lost) {
        const before = last.get(`${from}>${to}`);
        if (before !== undefined) expect(number).toBe(before + 1);
        last.set(`${from}>${to}`, number);
      }
    }
  });
});

describe('replaying a data directory', () => {
  test('the answer carries the state hash of the journal, from any number of shards', async () => {
    const { folder, run, world } = record();
    const shards = [0, 1, 2].map((shard) =>
      replayShard({ dataDirectory: folder, run, shard, shards: 3 }),
    );
    expect(shards.every(({ divergence }) => divergence === null)).toBe(true);
    const { events } = world.follower.entry(run);
    expect(shards.reduce((sum, shard) => sum + shard.events, 0)).toBe(events.length);
    expect(shards.filter((shard) => shard.events > 0).length).toBeGreaterThan(1);
    const readOnly = openReadOnly(folder);
    onTestFinished(() => readOnly.close());
    expect(await readOnly.replay(run)).toEqual({
      run,
      events: events.length,
      equal: true,
      stateHash: events.at(-1)?.stateHash,
      divergence: null,
    });
    await expect(readOnly.replay('no-run')).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });

  /** A change of the body of the second event of the second document. */
  const ofDocument =
    (change: (body: Record<string, unknown>) => void): Change =>
    (body, { actor, actorSequence }) => {
      if (actor === 'run/document-2' && actorSequence === 2) change(body);
    };
  const lies: readonly (readonly [string, Change])[] = [
    [
      'a state hash',
      ofDocument((body) => {
        body.hash = `${'0'.repeat(63)}1`;
      }),
    ],
    [
      'an event',
      ofDocument((body) => {
        const value = { texts: { [hashOfTwo]: 'twO' } };
        (body.event as { outcome: unknown }).outcome = { status: 'completed', value };
      }),
    ],
    [
      'the digest of an intention',
      ofDocument((body) => {
        Object.assign((body.intentions as object[])[0] ?? {}, { digest: '0'.repeat(64) });
      }),
    ],
    [
      'which intention an outcome answers',
      ofDocument((body) => {
        body.cause = String(body.cause).replace(/\d+$/, '7');
      }),
    ],
  ];

  async function replayOf(change: Change) {
    const { folder, run } = record();
    const lying = temporaryFolder();
    openDataDirectory(lying, 0).release();
    rewriteJournal(folder, lying, change);
    const follower = new JournalFollower(lying);
    onTestFinished(() => follower.close());
    follower.advance();
    const pool = new CpuPool({ threads: 1 });
    onTestFinished(() => pool.close());
    const entry = follower.entry(run);
    return { entry, report: await replayRun(lying, entry, pool) };
  }

  test.each(lies)('a journal that lies about %s is found out at the event', async (_, change) => {
    const { entry, report } = await replayOf(change);
    expect(report.equal).toBe(false);
    expect(report.divergence).toMatchObject({ actor: 'run/document-2', actorSequence: 2 });
    const at = entry.actors.get(actorId('run/document-2'))?.events[1] ?? -1;
    expect(report.divergence?.sequence).toBe(at + 1);
  });

  test('a message that nobody sent is found out, though its receiver takes it', async () => {
    const { report } = await replayOf((body, { actor, actorSequence }) => {
      if (actor !== 'run' || actorSequence !== 2) return;
      body.cause = String(body.cause).replace(/\d+$/, '9');
    });
    expect(report.divergence).toMatchObject({
      actor: 'run',
      actorSequence: 2,
      expected: 'no such message',
    });
  });

  test('an end that the events do not lead to is found out', async () => {
    const { entry, report } = await replayOf((body, { type }) => {
      if (type === 'run-ended') body.resultHash = '0'.repeat(64);
    });
    expect(report).toMatchObject({ equal: false, divergence: { sequence: entry.events.length } });
  });
});

test('a changed header is found by its record’s digest, although checksum and seal hold', () => {
  const { folder, run, world } = record();
  const position = world.follower.entry(run).events[3]?.position;
  if (position === undefined) throw new Error('the run has events');
  world.close();
  const request = { dataDirectory: folder, run, shard: 0, shards: 1 };
  expect(replayShard(request).divergence).toBeNull();
  const path = segmentPath(journalFolder(folder), position.segment);
  const bytes = readFileSync(path);
  const file = openSync(path, 'r');
  const header = readSegmentHeader(nodeFilePort, file, position.segment);
  closeSync(file);
  // Another time, which no machine looks at here, with a checksum that fits it.
  const length = bytes.readUInt32LE(position.offset + recordDescriptor.lengthOffset);
  const bytesOf = bytes.subarray(position.offset, position.offset + alignRecord(length));
  bytesOf.writeUInt8(
    bytesOf.readUInt8(recordDescriptor.timeOffset) ^ 1,
    recordDescriptor.timeOffset,
  );
  const crc = recordCrc(bytesOf, 0, position.offset, header);
  bytesOf.writeUInt32LE(crc, recordDescriptor.crcOffset);
  writeFileSync(path, bytes);
  expect(() => replayShard(request)).toThrow(expect.objectContaining({ code: 'JOURNAL_CORRUPT' }));
});
