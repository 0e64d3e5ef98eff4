/**
 * Quality of the bundled example: what reaches its report unflagged, against
 * labels. Two sets: the bundled messages, and 200 messages of a generator that
 * shares nothing with the one behind the model. Prompts, checks and thresholds
 * were tuned on a third set. `--quick` scores the bundled messages alone.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checks } from '../src/actors/checks/index.ts';
import type { PipelineDefinition } from '../src/actors/pipeline-definition.ts';
import { loadPipelineFile } from '../src/runtime/pipeline-file.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { startRuntime } from '../src/runtime/start-runtime.ts';
import { generateMessages } from './example/generator.ts';
import { type LabelledMessage, labelSchema } from './example/labels.ts';
import { type InboxRun, runInbox } from './example/run-inbox.ts';
import {
  baseline,
  interventions,
  type Kind,
  type KindScore,
  kinds,
  score,
} from './example/score.ts';
import { testBank } from './example/test-bank.ts';
import { type VariantName, variantOf } from './example/variants.ts';
import { benchOptions, type Figure, figure, report } from './harness.ts';
import { benchConfig } from './runs/idle-pipeline.ts';

const example = fileURLToPath(new URL('../examples/inbox', import.meta.url));
const generatedCount = 200;
const generatedSeed = 20_260_303;
const precisionGoal = 0.95;

function bundledMessages(): LabelledMessage[] {
  const lines = readFileSync(join(example, 'labels.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => {
    const label = labelSchema.parse(JSON.parse(line));
    return { label, text: readFileSync(join(example, 'messages', label.document), 'utf8') };
  });
}

function bundledFiles(): Record<string, string> {
  const folder = join(example, 'workspace');
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`;
}

function total(scores: Record<Kind, KindScore>, key: keyof KindScore): number {
  return kinds.reduce((sum, kind) => sum + scores[kind][key], 0);
}

function print(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    process.stdout.write(`${cells.join('  ')}\n`);
  }
}

function printReported(name: string, variant: string, scores: Record<Kind, KindScore>): void {
  const line = (label: string, reported: number, right: number, units: number) => [
    label,
    String(units),
    String(reported),
    String(right),
    percent(right, reported),
    percent(right, units),
  ];
  process.stdout.write(`\n${name}, ${variant}: what reaches the report unflagged\n`);
  print([
    ['kind', 'labelled', 'reported', 'right', 'precision', 'coverage'],
    ...kinds.map((kind) => {
      const { reported, right, units } = scores[kind];
      return line(kind, reported, right, units);
    }),
    line('all', total(scores, 'reported'), total(scores, 'right'), total(scores, 'units')),
  ]);
}

function printAccuracy(
  name: string,
  scores: Readonly<Record<VariantName, Record<Kind, KindScore>>>,
  guess: Record<Kind, number>,
): void {
  process.stdout.write(`\n${name}: messages right as a whole, flagged or not\n`);
  print([
    ['kind', 'supervised', 'unsupervised', 'bare model', 'baseline'],
    ...kinds.map((kind) => [
      kind,
      ...(['supervised', 'unsupervised', 'bare'] as const).map((variant) =>
        percent(scores[variant][kind].accurate, scores[variant][kind].messages),
      ),
      percent(guess[kind], scores.supervised[kind].messages),
    ]),
  ]);
}

async function scoreSet(
  runtime: Runtime,
  set: {
    readonly name: string;
    readonly messages: readonly LabelledMessage[];
    readonly files: Readonly<Record<string, string>>;
  },
  definition: PipelineDefinition,
): Promise<Figure[]> {
  const { name, messages } = set;
  const variants = ['supervised', 'unsupervised', 'bare'] as const;
  const runs = {} as Record<VariantName, InboxRun>;
  for (const variant of variants) {
    runs[variant] = await runInbox(runtime, {
      ...set,
      definition: variantOf(definition, variant),
    });
    const { usage } = runs[variant].view;
    process.stdout.write(
      `${name}, ${variant}: ${(runs[variant].tookMs / 1000).toFixed(1)} s, ${usage.generations} generations, ${usage.interventions} interventions, ${usage.toolCalls} tool calls\n`,
    );
  }
  const scores = Object.fromEntries(
    variants.map((variant) => [variant, score(messages, runs[variant].documents)]),
  ) as Record<VariantName, Record<Kind, KindScore>>;
  for (const variant of variants) printReported(name, variant, scores[variant]);
  printAccuracy(name, scores, baseline(messages));

  const asked = interventions(messages, runs.supervised.documents, definition);
  process.stdout.write(`\n${name}: questions asked again by the supervisor\n`);
  print([
    ['step', 'questions', 'right before', 'right after'],
    ...Object.entries(asked).map(([step, found]) => [
      step,
      String(found.count),
      String(found.rightBefore),
      String(found.rightAfter),
    ]),
  ]);
  const share = (value: number, whole: number) => (whole === 0 ? 0 : value / whole);
  const { supervised, unsupervised, bare } = scores;
  const coverage = (of: Record<Kind, KindScore>) => share(total(of, 'right'), total(of, 'units'));
  const precision = (of: Record<Kind, KindScore>) =>
    share(total(of, 'right'), total(of, 'reported'));
  return [
    figure(`${name}: precision`, 'share', [precision(supervised)], { goal: precisionGoal }),
    ...kinds.map((kind) => {
      const { right, reported } = supervised[kind];
      return figure(`${name}: precision of ${kind}`, 'share', [share(right, reported)]);
    }),
    figure(`${name}: coverage`, 'share', [coverage(supervised)]),
    figure(`${name}: coverage without supervisor`, 'share', [coverage(unsupervised)]),
    figure(`${name}: precision of the bare model`, 'share', [precision(bare)]),
    figure(`${name}: interventions`, 'questions', [
      Object.values(asked).reduce((sum, each) => sum + each.count, 0),
    ]),
  ];
}

const { quick } = benchOptions();
const root = mkdtempSync(join(tmpdir(), 'openclaw-bench-example-'));
const runtime = await startRuntime(benchConfig(join(root, 'data')));
try {
  const definition = await loadPipelineFile(join(example, 'pipeline.yaml'), {
    knownChecks: Object.keys(checks),
  });
  const figures = await scoreSet(
    runtime,
    { name: 'bundled', messages: bundledMessages(), files: bundledFiles() },
    definition,
  );
  if (!quick) {
    const messages = generateMessages(testBank, generatedSeed, generatedCount);
    figures.push(
      ...(await scoreSet(
        runtime,
        { name: 'generated', messages, files: testBank.files },
        definition,
      )),
    );
  }
  report('example', figures, ['node-llama-cpp']);
} finally {
  await runtime.stop();
  rmSync(root, { recursive: true, force: true });
}
