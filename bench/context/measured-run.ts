/** One workload through the real runtime, and what it left in the data directory. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Actor, actorToJson, applyEvent, newActor } from '../../src/actors/actor.ts';
import { isMachineName } from '../../src/actors/machines.ts';
import { stateToJson } from '../../src/actors/step.ts';
import { journalFolder } from '../../src/journal/data-folders.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { assert } from '../../src/kernel/assert.ts';
import { canonicalJson, hashJson } from '../../src/kernel/hash.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { BusView } from '../../src/runtime/bus-view.ts';
import { eventOf } from '../../src/runtime/event-record.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { startRuntime } from '../../src/runtime/start-runtime.ts';
import { CheckpointTable } from './checkpoints.ts';
import { type Prompt, serveScript } from './scripted-model.ts';
import { pipelineOf, type Workload } from './workload.ts';

/** What one turn of the agent left. */
export interface Turn {
  /** Bytes of the journal and of large texts from this question to the next. */
  readonly bytes: number;
  /** Bytes of text that are new in it: the answer and what the call came to. */
  readonly newText: number;
  /** Canonical JSON of the agent's state, which is hashed at every event. */
  readonly stateBytes: number;
  /** JSON of the agent as a snapshot has it. */
  readonly snapshotBytes: number;
  /** Time of one step and its hash, microseconds. */
  readonly stepMicros: number;
}

export interface MeasuredRun {
  readonly prompts: readonly Prompt[];
  readonly events: number;
  /** Journal up to its last record, large texts, and all other files of the data directory but the workspaces. */
  readonly usedBytes: number;
  /** Files of the run's workspace. */
  readonly workspaceBytes: number;
  /** Blocks that the file system gave the data directory, once the runtime has stopped. */
  readonly allocatedBytes: number;
  /** Bytes of the intentions, questions and outcomes that went from thread to thread. */
  readonly busBytes: number;
  readonly turns: readonly Turn[];
  /** Table of whole checkpoints, plain and each compressed. */
  readonly checkpointBytes: number;
  readonly compressedCheckpointBytes: number;
}

export async function measureRun(workload: Workload, root: string): Promise<MeasuredRun> {
  const [input, workspace] = [join(root, 'input'), join(root, 'workspace')];
  const dataDirectory = join(root, 'data');
  mkdirSync(input, { recursive: true });
  mkdirSync(workspace);
  writeFileSync(join(input, 'task.txt'), 'Work through the files until everything is in order.');
  for (const [path, text] of workload.files) {
    writeFileSync(join(workspace, path), text);
  }
  const plain = new CheckpointTable(join(root, 'plain.db'), false);
  const compressed = new CheckpointTable(join(root, 'compressed.db'), true);
  const model = await serveScript(workload.answers, (messages) => {
    plain.save(messages);
    compressed.save(messages);
  });
  const runtime = await startRuntime({
    dataDirectory,
    host: '127.0.0.1',
    port: 0,
    model: { baseUrl: model.baseUrl, name: 'scripted' },
    deterministic: true,
    journal: 'durable',
    debug: false,
  });
  let id: RunId;
  let busBytes: number;
  try {
    const pipeline = pipelineOf(workload, workspace);
    const started = await runtime.startRun({ pipeline, input: { folder: input }, seed: 1 });
    const ended = await runtime.ended(started.id);
    assert(ended.status === 'succeeded', `the run ended well: ${JSON.stringify(ended.error)}`);
    assert(ended.progress.handedToHuman === 0, 'the agent answered');
    id = ended.id;
    // The counters of the bus are looked at once in this time.
    await sleep(2 * limits.busSampleMs);
    busBytes = receivedBytes(runtime.bus());
  } finally {
    await runtime.stop();
    await model.close();
  }
  assert(model.prompts.length === workload.calls, 'every call was made once');
  const { events } = await verify(dataDirectory, id, model.prompts);
  const journal = join(dataDirectory, 'journal');
  const workspaces = join(dataDirectory, 'workspaces');
  const others = bytesUnder(dataDirectory, [journal, workspaces]);
  return {
    prompts: model.prompts,
    events,
    usedBytes: journalBytes(dataDirectory) + others.size,
    workspaceBytes: bytesUnder(workspaces).size,
    allocatedBytes: bytesUnder(dataDirectory).allocated,
    busBytes,
    turns: turnsOf(dataDirectory, id, model.prompts),
    checkpointBytes: plain.close(),
    compressedCheckpointBytes: compressed.close(),
  };
}

function receivedBytes({ topics }: BusView): number {
  const counted = topics.filter(({ name }) => ['act', 'generate', 'outcome'].includes(name));
  assert(counted.length === 3, 'the bus has these topics');
  return counted.reduce((sum, { receivedBytes: { total } }) => sum + total, 0);
}

/** The run replays, and each of its contexts is to the letter what was asked. */
async function verify(
  dataDirectory: string,
  run: RunId,
  prompts: readonly Prompt[],
): Promise<{ events: number }> {
  const journal = openReadOnly(dataDirectory);
  try {
    const replay = await journal.replay(run);
    assert(replay.equal, 'the replay is equal');
    const contexts = journal.contexts(run);
    assert(contexts.length === prompts.length, 'every call has its context');
    contexts.forEach(({ hash }, call) => {
      const { messages } = journal.transcript(run, hash);
      assert(hashJson(messages) === prompts[call]?.hash, 'a context is what was asked');
    });
    return { events: replay.events };
  } finally {
    journal.close();
  }
}

function journalBytes(dataDirectory: string): number {
  const reader = JournalReader.open(dataDirectory);
  for (const _group of reader.groups());
  const { segment, offset } = reader.position;
  reader.close();
  const folder = journalFolder(dataDirectory);
  const full = readdirSync(folder)
    .filter((name) => /^\d+\.segment$/.test(name))
    .sort()
    .slice(0, segment - 1);
  return full.reduce((sum, name) => sum + statSync(join(folder, name)).size, offset);
}

function bytesUnder(
  folder: string,
  without: readonly string[] = [],
): { size: number; allocated: number } {
  const sum = { size: 0, allocated: 0 };
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || without.some((other) => path.startsWith(`${other}/`))) continue;
    const { size, blocks } = statSync(path);
    sum.size += size;
    sum.allocated += blocks * 512;
  }
  return sum;
}

/** Folds the run once more and looks at the agent whenever it asks. */
function turnsOf(dataDirectory: string, run: RunId, prompts: readonly Prompt[]): Turn[] {
  const follower = new JournalFollower(dataDirectory);
  follower.advance();
  const entry = follower.entry(run);
  const actors = new Map<string, Actor>();
  const asked: (Omit<Turn, 'bytes' | 'newText'> & { readonly offset: number })[] = [];
  const sequences = entry.events.map((_, index) => index + 1);
  for (const { record } of follower.records(entry, sequences)) {
    const body = eventOf(record, follower.blobsOf(entry.id));
    const [name = ''] = body.machine.split('@');
    assert(isMachineName(name), 'the machine is known');
    const known =
      actors.get(body.actor) ?? newActor(run, body.actor, name, { machines: [body.machine] });
    const startedMs = performance.now();
    const { actor } = applyEvent(known, body, record.timeMs);
    const stepMicros = (performance.now() - startedMs) * 1_000;
    actors.set(body.actor, actor);
    if (body.context === undefined) continue;
    asked.push({
      offset: globalOffset(record.position),
      stateBytes: canonicalJson(stateToJson(actor.state)).length,
      snapshotBytes: JSON.stringify(actorToJson(actor)).length,
      stepMicros,
    });
  }
  follower.close();
  return asked.slice(0, -1).map(({ offset, ...turn }, index) => ({
    ...turn,
    bytes: (asked[index + 1]?.offset ?? offset) - offset,
    newText: (prompts[index + 1]?.bytes ?? 0) - (prompts[index]?.bytes ?? 0),
  }));
}

/** Of bytes before it in all segments; each but the last is full to within a group. */
function globalOffset({ segment, offset }: { segment: number; offset: number }): number {
  return (segment - 1) * 16 * 1024 * 1024 + offset;
}
