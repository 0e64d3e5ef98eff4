/**
 * Writes docs/benchmarks.md: what each program in bench/ measures, in the
 * words of its own header, and the figures of its last full run.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

export const benchmarksDocFile = new URL('../docs/benchmarks.md', import.meta.url);
const benchFolder = new URL('../bench/', import.meta.url);

const resultSchema = z.object({
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  versions: z.record(z.string(), z.string()),
  figures: z.array(
    z.object({
      id: z.string(),
      value: z.number(),
      unit: z.string(),
      goal: z.number().nullable(),
      higherIsBetter: z.boolean(),
      samples: z.array(z.number()),
    }),
  ),
});
type Result = z.output<typeof resultSchema>;

function formatted(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

function row(figure: Result['figures'][number]): string {
  const { id, value, unit, goal, higherIsBetter, samples } = figure;
  const wanted = goal === null ? '' : `${higherIsBetter ? '≥' : '≤'} ${formatted(goal)}`;
  const reached = higherIsBetter ? value >= (goal ?? value) : value <= (goal ?? value);
  const verdict = goal === null ? '' : reached ? 'reached' : 'missed';
  const range = `${formatted(Math.min(...samples))} to ${formatted(Math.max(...samples))}`;
  return `| ${id} | ${formatted(value)} ${unit} | ${range} (${samples.length}) | ${wanted} | ${verdict} |`;
}

/** The comment at the head of a program, as paragraphs. */
function headerOf(source: string): string {
  const comment = /\/\*\*([\s\S]*?)\*\//.exec(source)?.[1] ?? '';
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim();
}

function section(name: string): string {
  const header = headerOf(readFileSync(new URL(`${name}.ts`, benchFolder), 'utf8'));
  const file = new URL(`results/${name}.json`, benchFolder);
  if (!existsSync(file)) return `## ${name}\n\n${header}\n`;
  const { machine, versions, figures } = resultSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const facts = [
    ...Object.values(machine),
    ...Object.entries(versions).map((each) => each.join(' ')),
  ];
  return `## ${name}

${header}

Machine: ${facts.join(', ')}.

| figure | median | range (samples) | goal | |
| --- | --- | --- | --- | --- |
${figures.map(row).join('\n')}
`;
}

/** The text of docs/benchmarks.md. */
export function benchmarksDocText(): string {
  const names = readdirSync(benchFolder)
    .filter((name) => name.endsWith('.ts') && name !== 'harness.ts')
    .map((name) => name.replace(/\.ts$/, ''))
    .sort();
  return `# Benchmarks

\`npm run bench\` runs all of them, one after the other; \`--quick\` is the short
form. Contenders are measured side by side in one run, in turns, and their
contents are verified. Ratios (x) are the figures to compare: the machine is
shared and noisy, absolute numbers on it swing by a factor of two, and by more
where the disk is asked.

This file is written by \`npm run docs\` from \`bench/results/\`.

${names.map(section).join('\n')}`;
}

if (import.meta.main) writeFileSync(benchmarksDocFile, benchmarksDocText());
