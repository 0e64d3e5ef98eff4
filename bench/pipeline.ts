/**
 * Steps per second of the whole runtime without a model: actors on a host
 * thread, every event journaled, digests and hashes included. Each step has an
 * agent with nothing to ask, so a step is four events: the order to the
 * supervisor, the agent's start, its result, and the pipeline's next move.
 *
 * The peer is the least that a durable engine of one's own would do: a loop
 * that commits each event to `node:sqlite` (WAL, synchronous=FULL). It knows
 * no actors, no hashes, no signatures; `replay` is the same events folded
 * again with all hashes compared, without journal and threads.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { assert } from '../src/kernel/assert.ts';
import { openReadOnly } from '../src/runtime/read-only.ts';
import { startRuntime } from '../src/runtime/start-runtime.ts';
import { benchOptions, figure, interleave, ratios, report } from './harness.ts';
import { benchConfig, idlePipeline, writeDocuments } from './runs/idle-pipeline.ts';

const stepsPerDocument = 4;
const { quick, repetitions } = benchOptions();
const documents = quick ? 60 : 250;
const root = mkdtempSync(join(tmpdir(), 'openclaw-bench-pipeline-'));
const input = join(root, 'input');
writeDocuments(input, documents);

const pipeline = idlePipeline('bench', stepsPerDocument);

const runtime = await startRuntime(benchConfig(join(root, 'data')));
const steps = documents * stepsPerDocument;
let events = 0;
let lastRun = '';

/** One run over all documents; steps per second. */
async function runtimeSteps(): Promise<number> {
  const startedMs = performance.now();
  const { id } = await runtime.startRun({ pipeline, input: { folder: input }, seed: 1 });
  const ended = await runtime.ended(id);
  const tookMs = performance.now() - startedMs;
  assert(ended.status === 'succeeded' && ended.progress.stepsDone === steps, 'every step was done');
  events = ended.events;
  lastRun = id;
  return (steps / tookMs) * 1_000;
}

let tables = 0;

/** The same number of events, each its own transaction; steps per second. */
function sqliteSteps(): number {
  const database = new DatabaseSync(join(root, `peer-${tables}.db`));
  tables += 1;
  database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;');
  database.exec('CREATE TABLE event (sequence INTEGER PRIMARY KEY, actor TEXT, body TEXT)');
  const insert = database.prepare('INSERT INTO event (actor, body) VALUES (?, ?)');
  const body = JSON.stringify({
    type: 'step-done',
    step: 'step-1',
    result: { verdict: 'accepted', output: [] },
  });
  const startedMs = performance.now();
  for (let index = 0; index < events; index += 1)
    insert.run(`run/document-${index % documents}`, body);
  const tookMs = performance.now() - startedMs;
  const { count } = database.prepare('SELECT count(*) AS count FROM event').get() as {
    count: number;
  };
  assert(count === events, 'every event was written');
  database.close();
  return (steps / tookMs) * 1_000;
}

/** The last run replayed and compared; steps per second. */
async function replaySteps(): Promise<number> {
  const journal = openReadOnly(join(root, 'data'));
  const startedMs = performance.now();
  const replayed = await journal.replay(lastRun);
  const tookMs = performance.now() - startedMs;
  journal.close();
  assert(replayed.equal && replayed.events === events, 'the replay is equal');
  return (steps / tookMs) * 1_000;
}

try {
  await runtimeSteps();
  const samples = await interleave(
    { runtime: runtimeSteps, sqlite: sqliteSteps, replay: replaySteps },
    repetitions,
  );
  const eventsPerStep = events / steps;
  report(
    'pipeline',
    [
      figure('steps', '1/s', samples.runtime),
      figure(
        'events',
        '1/s',
        samples.runtime.map((sample) => sample * eventsPerStep),
      ),
      figure(
        'steps.ratio-to-sqlite-commit-per-event',
        'x',
        ratios(samples.runtime, samples.sqlite),
        { goal: 1 },
      ),
      figure('replay.ratio-to-run', 'x', ratios(samples.replay, samples.runtime), { goal: 1 }),
    ],
    ['xstate'],
  );
} finally {
  await runtime.stop();
  rmSync(root, { recursive: true, force: true });
}
