/**
 * How many of the facts that are planted in a document of 200 pages a run finds:
 * by map and reduce, and by one question over what fits the model's window, which is all that a
 * truncated document is. The document is small talk in chapters and sections, made from a
 * seed, with sentences that name a date in between; the embedded model looks for dates.
 *
 * `map`: facts that any part's step found. `reduce`: facts in the one list that is left,
 * by what the model itself merged, and with `keep`, where what it leaves out goes on as it is. A
 * fact counts if its sentence is there word for word. `citations`: statements of the
 * merged list whose every citation leads to characters of the document that are that statement.
 * `refused`: statements that the model merged wrong, found in code. The run is replayed.
 * What is found depends on the model and the document alone, so one run is enough.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StepResult } from '../src/actors/step-result.ts';
import { assert } from '../src/kernel/assert.ts';
import type { JsonObject } from '../src/kernel/json.ts';
import { openReadOnly } from '../src/runtime/read-only.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { startRuntime } from '../src/runtime/start-runtime.ts';
import { benchOptions, figure, report } from './harness.ts';
import { plantedDocument } from './map-reduce/document.ts';
import { partCharacters, plantedPipeline, windowCharacters } from './map-reduce/pipeline.ts';

const { quick } = benchOptions();
const pages = quick ? 12 : 200;
const facts = quick ? 6 : 12;
const planted = plantedDocument(pages, facts, 1);

interface MergedList {
  readonly statements: readonly {
    readonly text: string;
    readonly citations: readonly {
      readonly range: { readonly start: number; readonly end: number };
    }[];
  }[];
}

const root = mkdtempSync(join(tmpdir(), 'openclaw-bench-map-reduce-'));

function folderWith(name: string, text: string): string {
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'document.md'), text);
  return folder;
}

/** Results of a step, of every document that has it. */
function resultsOf(runtime: Runtime, run: string, step: string): StepResult[] {
  const found: StepResult[] = [];
  for (let from = 1; ; ) {
    const page = runtime.events(run, { from, limit: 1_000 });
    if (page.length === 0) return found;
    from += page.length;
    for (const { event } of page) {
      if (event.type === 'step-done' && event.step === step) {
        found.push(event.result as unknown as StepResult);
      }
    }
  }
}

function textsOf(results: readonly StepResult[]): Set<string> {
  return new Set(
    results.flatMap(({ output }) =>
      Array.isArray(output) ? output.map((each) => String((each as JsonObject).text)) : [],
    ),
  );
}

function share(texts: ReadonlySet<string>): number {
  return planted.facts.filter((fact) => texts.has(fact)).length / planted.facts.length;
}

function mergedBy(
  runtime: Runtime,
  run: string,
  step: string,
): { list: MergedList; refused: number } {
  const [result] = resultsOf(runtime, run, step);
  assert(result !== undefined, `the step ${step} is done`);
  const refused = result.reasons.filter((reason) => reason.startsWith('The merged statement'));
  return { list: result.output as unknown as MergedList, refused: refused.length };
}

function isProven({ text, citations }: MergedList['statements'][number]): boolean {
  return (
    citations.length > 0 &&
    citations.every(({ range }) => planted.text.slice(range.start, range.end) === text)
  );
}

async function seconds<Result>(work: () => Promise<Result>): Promise<[Result, number]> {
  const started = performance.now();
  return [await work(), (performance.now() - started) / 1_000];
}

const dataDirectory = join(root, 'data');
const runtime = await startRuntime({
  dataDirectory,
  host: '127.0.0.1',
  port: 0,
  model: { sequences: 8 },
  deterministic: false,
  journal: 'durable',
  debug: false,
});

async function runOver(folder: string, pipeline: JsonObject): Promise<string> {
  const { id } = await runtime.startRun({ pipeline, input: { folder }, seed: 1 });
  const run = await runtime.ended(id);
  assert(run.status === 'succeeded', `the run succeeds: ${run.error?.message}`);
  return id;
}

try {
  const whole = folderWith('whole', planted.text);
  const first = folderWith('first', planted.text.slice(0, windowCharacters));
  const [run, tookS] = await seconds(() => runOver(whole, plantedPipeline(partCharacters)));
  const [truncated, truncatedS] = await seconds(() => runOver(first, plantedPipeline(null)));
  const parts = resultsOf(runtime, run, 'find');
  const merged = mergedBy(runtime, run, 'merge');
  const kept = mergedBy(runtime, run, 'keep');
  const journal = openReadOnly(dataDirectory);
  assert((await journal.replay(run)).equal, 'the run replays');
  journal.close();
  const statements = [...merged.list.statements, ...kept.list.statements];
  const of = (list: MergedList): number => share(new Set(list.statements.map(({ text }) => text)));
  const inWindow =
    planted.facts.filter((fact) => planted.text.slice(0, windowCharacters).includes(fact)).length /
    planted.facts.length;
  const window = share(textsOf(resultsOf(runtime, truncated, 'find')));
  report('map-reduce', [
    figure('recall.map', 'share', [share(textsOf(parts))]),
    figure('recall.reduce-with-keep', 'share', [of(kept.list)]),
    figure('recall.reduce-by-the-model-alone', 'share', [of(merged.list)]),
    figure('recall.one-window', 'share', [window]),
    figure('facts.that-stand-in-the-window', 'share', [inWindow]),
    figure('citations.that-are-the-statement', 'share', [
      statements.filter(isProven).length / Math.max(1, statements.length),
    ]),
    figure('refused.merged-statements', '', [merged.refused + kept.refused], {
      higherIsBetter: false,
    }),
    figure('pages', '', [pages]),
    figure('facts', '', [facts]),
    figure('parts', '', [parts.length]),
    figure('time.map-reduce', 's', [tookS], { higherIsBetter: false }),
    figure('time.one-window', 's', [truncatedS], { higherIsBetter: false }),
  ]);
  assert(readFileSync(join(whole, 'document.md'), 'utf8') === planted.text, 'nobody changed it');
} finally {
  await runtime.stop();
  rmSync(root, { recursive: true, force: true });
}
