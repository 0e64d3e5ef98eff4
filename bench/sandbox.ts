/**
 * The sandbox with every layer that this host has: one script from the call to
 * its value, in bursts up to the pool and without pause, against QuickJS in a
 * process that is used once as well, and against `node -p`, which protects
 * from nothing. Every value is compared; a script that leaves something behind
 * and looks for it shows that no isolate serves twice.
 */
import { assert } from '../src/kernel/assert.ts';

import { SandboxPool } from '../src/sandbox/sandbox.ts';
import {
  benchOptions,
  type Figure,
  figure,
  interleave,
  median,
  ratios,
  report,
} from './harness.ts';
import { coldQuickjs, plainNode, script, scriptValue, startQuickjs } from './sandbox/contenders.ts';
import { startedMemoryMb } from './sandbox/idle-memory.ts';

const { quick, repetitions } = benchOptions();
const poolSize = 4;
const burstsOfSample = quick ? 1 : 5;
const sustainedMs = quick ? 600 : 4_000;
const warmP50MsMax = 10;

const pool = new SandboxPool({ size: poolSize });

let reused = 0;
const layersSeen = new Set<string>();

/** One execution; what it finds of an earlier one counts as reuse. */
async function executeOnce(): Promise<number> {
  const startedMs = performance.now();
  const { ok, value, layers } = await pool.execute({
    source: `const before = globalThis.left ?? null; globalThis.left = 1; [before, ${script}]`,
  });
  const tookMs = performance.now() - startedMs;
  assert(ok && Array.isArray(value) && value[1] === scriptValue, 'the sandbox computes the value');

  if (value[0] !== null) reused += 1;
  layersSeen.add(layers.join(' + '));
  return tookMs;
}

const refillSamples: number[] = [];

/** Median of bursts of as many executions as there are warm processes. */
async function burst(): Promise<number> {
  const tookMs: number[] = [];
  for (let turn = 0; turn < burstsOfSample; turn += 1) {
    await pool.warmed();
    tookMs.push(...(await Promise.all(Array.from({ length: poolSize }, executeOnce))));
    const emptyMs = performance.now();
    await pool.warmed();
    refillSamples.push((poolSize * 1_000) / (performance.now() - emptyMs));
  }

  return median(tookMs);
}

async function single(): Promise<number> {
  await pool.warmed();
  return executeOnce();
}

async function warmQuickjs(): Promise<number> {
  const { execute } = await startQuickjs();
  return execute();
}

/** Executions per second when there is always one more waiting. */
async function sustained(): Promise<number> {
  const startedMs = performance.now();
  let done = 0;
  const client = async (): Promise<void> => {
    while (performance.now() - startedMs < sustainedMs) {
      await executeOnce();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: poolSize }, client));
  return (done * 1_000) / (performance.now() - startedMs);
}

async function plainNodeRate(): Promise<number> {
  return 1_000 / (await plainNode());
}

/** Before anything else is started: only warm processes are there. */
async function idleFigures(): Promise<Figure[]> {
  await pool.warmed();
  const memory = startedMemoryMb();
  if (memory === null) return [];
  const each = (id: string, total: number): Figure =>
    figure(id, 'MiB', [total / poolSize], { higherIsBetter: false });
  return [
    each('idle process: resident memory', memory.resident),
    each('idle process: its share of memory', memory.proportional),
  ];
}

const idle = await idleFigures();
// The first of each reads files that later ones find in memory.
for (const warmUp of [single, burst, warmQuickjs, coldQuickjs, plainNode]) await warmUp();
refillSamples.length = 0;

const times = await interleave({ burst, single, warmQuickjs, coldQuickjs, plainNode }, repetitions);
const rates = await interleave({ sustained, plainNodeRate }, repetitions);
await pool.close();

const lower = { higherIsBetter: false };
report(
  'sandbox',
  [
    figure(`warm, burst of ${poolSize}: p50`, 'ms', times.burst, {
      ...lower,
      goal: warmP50MsMax,
    }),
    figure('warm, one at a time: p50', 'ms', times.single, { ...lower, goal: warmP50MsMax }),
    figure('QuickJS process, warm', 'ms', times.warmQuickjs, lower),
    figure('QuickJS process, from its start', 'ms', times.coldQuickjs, lower),
    figure('node -p, from its start', 'ms', times.plainNode, lower),
    figure(
      'warm, one at a time / QuickJS warm',
      'x',
      ratios(times.single, times.warmQuickjs),
      lower,
    ),
    figure('warm, one at a time / node -p', 'x', ratios(times.single, times.plainNode), lower),
    figure('sustained', '1/s', rates.sustained),
    figure(
      'sustained / node -p one after the other',
      'x',
      ratios(rates.sustained, rates.plainNodeRate),
    ),
    figure('refill of the pool', '1/s', refillSamples),
    ...idle,
    figure('layers in force', 'layers', [
      Math.min(...[...layersSeen].map((text) => text.split(' + ').length)),
    ]),
    figure('isolates that served twice', 'isolates', [reused], { ...lower, goal: 0 }),
  ],
  ['isolated-vm', 'quickjs-emscripten'],
);
