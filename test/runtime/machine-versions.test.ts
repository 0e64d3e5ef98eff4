/**
 * Two versions of a machine in one program: runs go on with the one that they
 * began with. The later agent asks at another temperature.
 */
import { expect, onTestFinished, test } from 'vitest';
import { type AnyStateMachine, createMachine } from 'xstate';
import { agentMachine } from '../../src/actors/agent.ts';
import { addMachine, newestVersion } from '../../src/actors/machines.ts';
import { actorId, type RunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { recoverRun, replayShard } from '../../src/runtime/replay-run.ts';
import { resumeRun } from '../../src/runtime/resume-run.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { rewriteJournal } from './rewritten-journal.ts';
import { type Answer, generated, World, writingPipeline, written } from './world.ts';

const agent = actorId('run/document-1/supervisor/echo');
const versions = (version: string) => ['pipeline@1', 'supervisor@1', `agent@${version}`];

/** Answers, and notes at which temperature each run asked. */
function answering(asked: Map<RunId, unknown>): Answer {
  return (operation, args, { run }) => {
    if (operation !== 'inference.generate') return written;
    asked.set(run, args.temperature);
    return generated('yes');
  };
}

function laterAgent(): AnyStateMachine {
  const { config } = agentMachine as unknown as { config: Record<string, unknown> };
  const context = { ...(config.context as object), temperature: 0.7 };
  return createMachine({ ...config, version: '2', context } as never);
}

function openWorld(folder: string): World {
  const world = new World(folder);
  onTestFinished(() => world.close());
  return world;
}

function replay(dataDirectory: string, run: RunId) {
  return replayShard({ dataDirectory, run, shard: 0, shards: 1 }).divergence;
}

async function resume(world: World, run: RunId): Promise<void> {
  await resumeRun(world.follower.entry(run), recoverRun(world.follower, run), {
    directory: world.directory,
    room: async () => undefined,
    hosts: 1,
    adopt: (host, message) => world.host(host).adopt(message),
    deliver: (host, envelope) => world.post(host, envelope),
  });
}

test('runs keep the version that they began with, through replay, sleep and restart', async () => {
  const folder = temporaryFolder();
  const before = new World(folder);
  const asked = new Map<RunId, unknown>();
  const ended = before.start(writingPipeline, ['one'], 7, versions('1'));
  before.play(answering(asked));
  const open = before.start(writingPipeline, ['one'], 7, versions('1'));
  before.settle(); // Its agent has not begun.
  before.close();

  addMachine('agent', laterAgent());
  expect(newestVersion('agent')).toBe('agent@2');
  expect(replay(folder, ended)).toBeNull();

  const world = openWorld(folder);
  await resume(world, open);
  const young = world.start(writingPipeline, ['one'], 7, versions('2'));
  world.play((operation) => (operation === 'inference.generate' ? null : written));
  world.clock.advance(limits.actorIdleMsMax + 1);
  world.host(0).hibernateIdle();
  expect(world.directory.lookup(young, agent).state).toBe('hibernated');
  world.play(answering(asked));
  expect([ended, open, young].map((run) => asked.get(run))).toEqual([0, 0, 0.7]);
  for (const run of [ended, open, young]) {
    expect(world.follower.entry(run).ended?.body.status).toBe('succeeded');
    expect(replay(folder, run)).toBeNull();
  }
  const [machine] = world.follower.entry(young).actors.get(agent)?.events ?? [];
  expect(world.follower.event(world.follower.entry(young), (machine ?? 0) + 1).machine).toBe(
    'agent@2',
  );
});

test('a replay names a version that the program no longer has', () => {
  const [folder, other] = [temporaryFolder(), temporaryFolder()];
  const world = new World(folder);
  const run = world.start(writingPipeline, ['one'], 7, versions('1'));
  world.play(answering(new Map()));
  world.close();
  rewriteJournal(folder, other, (body) => {
    if (body.machine === 'agent@1') body.machine = 'agent@0';
  });
  expect(replay(other, run)).toMatchObject({
    actor: agent,
    expected: 'agent@0',
    difference: 'This program no longer has the machine agent@0.',
  });
});
