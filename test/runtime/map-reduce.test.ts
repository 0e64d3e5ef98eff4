/** A long document in parts, mapped and merged in a whole runtime with the embedded model. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { plantedDocument } from '../../bench/map-reduce/document.ts';
import { partCharacters, plantedPipeline } from '../../bench/map-reduce/pipeline.ts';
import type { Citation } from '../../src/actors/statements.ts';
import type { StepResult } from '../../src/actors/step-result.ts';
import { limits } from '../../src/kernel/limits.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { EventView } from '../../src/runtime/views.ts';
import { openRuntime, runToEnd, testFolder } from './running.ts';

function documentFolder(text: string): { dataDirectory: string; folder: string } {
  const root = testFolder();
  const folder = join(root, 'input');
  mkdirSync(folder);
  writeFileSync(join(folder, 'long.md'), text);
  return { dataDirectory: join(root, 'data'), folder };
}

function stepOf(events: readonly EventView[], step: string): StepResult[] {
  return events
    .filter(({ event }) => event.type === 'step-done' && event.step === step)
    .map(({ event }) => event.result as unknown as StepResult);
}

interface MergedOutput {
  readonly statements: readonly {
    readonly text: string;
    readonly citations: readonly Citation[];
  }[];
  readonly merges: number;
}

function mergedBy(events: readonly EventView[], step: string): MergedOutput {
  const [result] = stepOf(events, step);
  if (result === undefined) throw new Error(`the step ${step} is done`);
  return result.output as unknown as MergedOutput;
}

test('planted facts come out of the parts with the characters that they stand on', async () => {
  const planted = plantedDocument(8, 8, 3);
  const { dataDirectory, folder } = documentFolder(planted.text);
  const runtime = await openRuntime(dataDirectory, { model: { sequences: 4 } });
  const pipeline = plantedPipeline(partCharacters);
  const run = await runToEnd(runtime, { pipeline, input: { folder }, seed: 1 });
  expect(run.status).toBe('succeeded');
  const events = runtime.events(run.id, { from: 1, limit: 1_000 });
  const parts = stepOf(events, 'find');
  expect(parts.length).toBeGreaterThan(10);

  const lines = planted.text.split('\n');
  for (const step of ['merge', 'keep']) {
    const { statements, merges } = mergedBy(events, step);
    expect(merges).toBeGreaterThan(0);
    for (const { text, citations } of statements) {
      expect(citations.length).toBeGreaterThan(0);
      for (const { document, part, range } of citations) {
        expect(document).toBe('long.md');
        expect(part).toBeGreaterThan(0);
        if (range === null) throw new Error('a part has a range');
        const cited = planted.text.slice(range.start, range.end).replaceAll(/\s+/g, ' ');
        expect(cited).toBe(text);
        expect(lines.slice(range.firstLine - 1, range.lastLine).join(' ')).toContain(cited);
      }
    }
  }
  const found = new Set(
    parts.flatMap(({ output }) =>
      (output as unknown as { text: string }[]).map(({ text }) => text),
    ),
  );
  const kept = mergedBy(events, 'keep');
  expect(new Set(kept.statements.map(({ text }) => text))).toEqual(found);
  expect(planted.facts.filter((fact) => found.has(fact)).length).toBeGreaterThan(2);

  const journal = openReadOnly(dataDirectory);
  onTestFinished(() => journal.close());
  expect(await journal.replay(run.id)).toMatchObject({ equal: true, events: run.events });
}, 120_000);

test('a file that is split may be larger than a document', async () => {
  const text = `${'word '.repeat(40)}\n\n`.repeat(2_000);
  expect(text.length).toBeGreaterThan(limits.documentBytesMax);
  const { dataDirectory, folder } = documentFolder(text);
  const runtime = await openRuntime(dataDirectory);
  const list = {
    write: { path: 'parts.txt', template: '{{#items}}{{document.range.end}} {{/items}}' },
  };
  const pipeline = (documents: object) => ({
    name: 'list',
    agents: {},
    input: { documents: { ...documents } },
    steps: [
      { id: 'part', map: 'documents', write: { path: 'p/{{document.part}}', template: 'x' } },
      { id: 'list', needs: ['part'], ...list },
    ],
  });
  const request = { input: { folder }, seed: 1 };
  const whole = runtime.startRun({ ...request, pipeline: pipeline({}) });
  await expect(whole).rejects.toMatchObject({ code: 'DOCUMENT_TOO_LARGE' });
  const split = pipeline({ split: { maxCharacters: 20_000 } });
  const run = await runToEnd(runtime, { ...request, pipeline: split });
  expect(run.status).toBe('succeeded');
  const [{ output } = { output: null }] = stepOf(
    runtime.events(run.id, { from: 1, limit: 1_000 }),
    'list',
  );
  expect(output).toMatchObject({ path: 'parts.txt' });
}, 60_000);
