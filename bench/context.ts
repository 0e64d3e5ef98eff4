/**
 * What a long conversation of one agent leaves on the disk. Two generated
 * workloads run through the whole runtime, with real files, scripts, threads
 * and syncs; a scripted server on loopback plays the model.
 *
 * `reading`: 100 calls; the prompt grows to 209,000 tokens (the last one alone
 * has them; all prompts together have fifty times as many). `coding`: 200 calls
 * that read, edit and check files. A token is counted as four bytes. The text
 * compresses by less than three with zstd, all of it in one frame.
 *
 * `used` is everything in the data directory up to the last record of the
 * journal, the copies of the workspace's files left out; `allocated` is what
 * the file system gave all of it, those copies too, once the runtime has
 * stopped. While it runs, segments are preallocated, 16 MiB at a time.
 * The peer is a table in `node:sqlite` with one row for each call that holds
 * all messages so far, which is how engines checkpoint a conversation; and the
 * same with each row as one zstd frame. It gets the same prompts in the same
 * run.
 *
 * `between-threads` is what intentions, questions to the inference worker and
 * outcomes take on the bus, `prompts` what all prompts would have taken there.
 *
 * Every context is put together from the journal and compared with what was
 * asked, and the run is replayed. Sizes depend on nothing but the workload, so
 * one run is enough.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { assert } from '../src/kernel/assert.ts';
import { type MeasuredRun, measureRun, type Turn } from './context/measured-run.ts';
import { codingWorkload, readingWorkload, type Workload } from './context/workload.ts';
import { benchOptions, type Figure, figure, median, report } from './harness.ts';

const { quick } = benchOptions();
const tokensMin = quick ? 40_000 : 209_000;
const workloads: readonly { readonly workload: Workload; readonly goalMB: number }[] = [
  { workload: readingWorkload(quick ? 20 : 100, tokensMin), goalMB: 5 },
  { workload: codingWorkload(quick ? 30 : 200), goalMB: 20 },
];
const megabyte = 1_000_000;
/** Turns over which the growth is averaged. */
const window = quick ? 5 : 10;

/** How much the text of a workload shrinks. */
function compression({ files, answers }: Workload): number {
  const text = [...files.values(), ...answers].join('\n');
  return Buffer.byteLength(text) / zstdCompressSync(text).length;
}

function windowEnds(turns: number): number[] {
  return [10, 50, 100, 200]
    .map((turn) => Math.min(turn, turns))
    .filter((turn, index, all) => turn >= 2 * window && all.indexOf(turn) === index);
}

/** Bytes that are stored for each byte of new text, in the turns up to `end`. */
function costUpTo(turns: readonly Turn[], end: number): number {
  const some = turns.slice(end - window, end);
  const sum = (of: (turn: Turn) => number): number =>
    some.reduce((total, turn) => total + of(turn), 0);
  return sum((turn) => turn.bytes) / sum((turn) => turn.newText);
}

function figures(name: string, run: MeasuredRun, ratio: number, goalMB: number): Figure[] {
  const { prompts, turns } = run;
  const tokens = prompts.map((prompt) => prompt.tokens);
  const last = turns.length;
  const promptBytes = prompts.reduce((sum, { bytes }) => sum + bytes, 0);
  const newText = turns.reduce((sum, turn) => sum + turn.newText, 0);
  const first = window;
  const of = (id: string, unit: string, value: number, goal: number | null = null): Figure =>
    figure(`${name}.${id}`, unit, [value], { goal, higherIsBetter: false });
  const at = (end: number, key: 'stateBytes' | 'snapshotBytes' | 'stepMicros'): number =>
    median(turns.slice(end - window, end).map((turn) => turn[key]));
  return [
    of('text.zstd-ratio', 'x', ratio, 3),
    figure(`${name}.prompt.largest`, 'tokens', [Math.max(...tokens)]),
    figure(`${name}.prompts.together`, 'tokens', [tokens.reduce((sum, each) => sum + each, 0)]),
    of('used', 'MB', run.usedBytes / megabyte, goalMB),
    of('workspace', 'MB', run.workspaceBytes / megabyte),
    of('allocated', 'MB', run.allocatedBytes / megabyte, goalMB),
    figure(`${name}.checkpoints-in-sqlite / used`, 'x', [run.checkpointBytes / run.usedBytes], {
      goal: quick ? null : 10,
    }),
    figure(`${name}.compressed-checkpoints-in-sqlite / used`, 'x', [
      run.compressedCheckpointBytes / run.usedBytes,
    ]),
    ...windowEnds(last).map((end) =>
      of(`stored-for-new-text.turn-${end}`, 'B/B', costUpTo(turns, end)),
    ),
    of(
      'stored-for-new-text.last / first',
      'x',
      costUpTo(turns, last) / costUpTo(turns, first),
      1.1,
    ),
    of('between-threads / new-text', 'B/B', run.busBytes / newText),
    of('prompts / new-text', 'B/B', promptBytes / newText),
    of('state.last / first', 'x', at(last, 'stateBytes') / at(first, 'stateBytes'), 1.02),
    of('state.last', 'B', at(last, 'stateBytes')),
    of('snapshot.last', 'B', at(last, 'snapshotBytes')),
    of('step-and-hash.last / first', 'x', at(last, 'stepMicros') / at(first, 'stepMicros')),
  ];
}

const found: Figure[] = [];
for (const { workload, goalMB } of workloads) {
  const root = mkdtempSync(join(tmpdir(), 'openclaw-bench-context-'));
  try {
    const ratio = compression(workload);
    assert(ratio <= 3, 'the text compresses no better than real text');
    found.push(...figures(workload.name, await measureRun(workload, root), ratio, goalMB));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
report('context', found);
