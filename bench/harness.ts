/**
 * What every benchmark shares: interleaved repetitions, medians, a table, and
 * a result file. Ratios between contenders measured side by side in one run
 * are the figures; absolute numbers on a shared machine swing too much to be
 * compared between runs.
 *
 * Invariants
 *   H1. Contenders take turns within each repetition, in an order that
 *       reverses every time, so that drift of the machine hits all alike.
 *   H2. The result file holds no host name, user name or path.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../src/kernel/assert.ts';

/** One measured number. */
export interface Figure {
  readonly id: string;
  /** Median of the samples. */
  readonly value: number;
  /** `x` for a ratio, else a unit such as `1/s`, `µs`, `MB/s`. */
  readonly unit: string;
  /** The value to reach, or null when the figure only informs. */
  readonly goal: number | null;
  readonly higherIsBetter: boolean;
  readonly samples: readonly number[];
}

export interface BenchOptions {
  /** `--quick`: less work for each sample, the same repetitions. */
  readonly quick: boolean;
  /** `--repetitions N`, at least 5; 1 with `--smoke`, which is quick and only shows that a program works. */
  readonly repetitions: number;
}

const repetitionsMin = 5;

/** Folder of the result files: `--results DIR`, else bench/results. */
function resultsFolder(argv: readonly string[] = process.argv): string {
  const at = argv.indexOf('--results');
  const asked = at < 0 ? undefined : argv[at + 1];
  return asked ?? fileURLToPath(new URL('./results', import.meta.url));
}

/** Reads `--quick`, `--smoke` and `--repetitions N` from the command line. */
export function benchOptions(argv: readonly string[] = process.argv.slice(2)): BenchOptions {
  const at = argv.indexOf('--repetitions');
  const asked = at < 0 ? repetitionsMin : Number(argv[at + 1]);
  assert(
    Number.isSafeInteger(asked) && asked >= repetitionsMin,
    `--repetitions takes a whole number from ${repetitionsMin} on`,
  );
  const smoke = argv.includes('--smoke');
  return { quick: smoke || argv.includes('--quick'), repetitions: smoke ? 1 : asked };
}

/** Middle of the sorted samples; the mean of the two middle ones of an even number. */
export function median(samples: readonly number[]): number {
  assert(samples.length > 0, 'a median needs samples');
  const sorted = samples.toSorted((a, b) => a - b);
  const upper = sorted.length >> 1;
  const high = sorted[upper] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[upper - 1] ?? Number.NaN) + high) / 2;
}

/** Runs one sample of a contender and returns its figure, such as operations per second. */
export type Contender = () => number | Promise<number>;

/**
 * Takes `repetitions` samples of every contender, in turns (H1). Warm up first
 * where it matters: every sample that is taken here counts.
 */
export async function interleave<Name extends string>(
  contenders: Readonly<Record<Name, Contender>>,
  repetitions: number,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    Name,
    number[]
  >;
  for (let turn = 0; turn < repetitions; turn += 1) {
    for (const name of turn % 2 === 0 ? names : names.toReversed()) {
      samples[name].push(await contenders[name]());
    }
  }
  return samples;
}

/** Quotients of samples that were taken in the same turn. */
export function ratios(samples: readonly number[], peer: readonly number[]): number[] {
  assert(samples.length === peer.length, 'a ratio needs two samples of each turn');
  return samples.map((sample, turn) => sample / (peer[turn] ?? Number.NaN));
}

/** A figure from its samples. `goal` defaults to null, `higherIsBetter` to true. */
export function figure(
  id: string,
  unit: string,
  samples: readonly number[],
  expectation: { readonly goal?: number | null; readonly higherIsBetter?: boolean } = {},
): Figure {
  return {
    id,
    value: median(samples),
    unit,
    goal: expectation.goal ?? null,
    higherIsBetter: expectation.higherIsBetter ?? true,
    samples,
  };
}

/** Whether the figure reaches its goal; null when it has none. */
export function reachesGoal({ value, goal, higherIsBetter }: Figure): boolean | null {
  if (goal === null) return null;
  return higherIsBetter ? value >= goal : value <= goal;
}

/** The machine, as far as it explains a figure (H2). */
function machine(): Record<string, string | number> {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${platform()} ${arch()} ${release()}`,
  };
}

/** Node.js and the exact versions of the given packages. */
function versions(packages: readonly string[]): Record<string, string> {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  const { version, dependencies, devDependencies } = manifest as {
    version: string;
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  const pinned = { ...dependencies, ...devDependencies };
  const named = packages.map((name) => [name, pinned[name] ?? 'unknown'] as const);
  return {
    'openclaw-runtime': version,
    node: process.versions.node,
    v8: process.versions.v8,
    ...Object.fromEntries(named),
  };
}

function formatNumber(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4, useGrouping: true });
}

/** Prints rows as a table with a title; the first column is left-aligned. */
function printTable(title: string, rows: readonly (readonly string[])[]): void {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
  process.stdout.write(`\n${title}\n${lines.join('\n')}\n`);
}

/**
 * Prints the figures and writes `NAME.json` into the folder of results.
 * `packages` are the dependencies whose versions explain the figures.
 */
export function report(
  name: string,
  figures: readonly Figure[],
  packages: readonly string[] = [],
): void {
  const verdicts = { true: 'reached', false: 'MISSED', null: '' };
  printTable(`${name} (medians)`, [
    ['figure', 'value', 'unit', 'goal', '', 'min', 'max'],
    ...figures.map((each) => [
      each.id,
      formatNumber(each.value),
      each.unit,
      each.goal === null ? '' : `${each.higherIsBetter ? '≥' : '≤'} ${formatNumber(each.goal)}`,
      verdicts[`${reachesGoal(each)}`],
      formatNumber(Math.min(...each.samples)),
      formatNumber(Math.max(...each.samples)),
    ]),
  ]);
  const folder = resultsFolder();
  mkdirSync(folder, { recursive: true });
  const result = { machine: machine(), versions: versions(packages), figures };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
}
