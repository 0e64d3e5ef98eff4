/** The embedding model against words, on sentences that were not trained on. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const file = (path: string) => fileURLToPath(new URL(`../../models/${path}`, import.meta.url));

/** Recall at 1 of each contender, by the line of the table. */
function recalls(...flags: string[]): ReadonlyMap<string, number> {
  const script = file('train/embedding/evaluate_embedding.mjs');
  const given = [
    script,
    file('tiny-embed.gguf'),
    file('eval/embedding.jsonl'),
    '--no-intervals',
    ...flags,
  ];
  const table = execFileSync(process.execPath, given, { encoding: 'utf8' });
  const rows = table.matchAll(/^\| ([^|]+) \| ([\d.]+) \|/gm);
  return new Map([...rows].map(([, name = '', recall]) => [name, Number(recall)]));
}

it('finds more sentences together with words than words do, as its card says', () => {
  for (const [flags, both, words] of [
    [[], 0.248, 0.168],
    [['--matches-only'], 0.453, 0.372],
  ] as const) {
    const found = recalls(...flags);
    expect(found.get('hybrid (sum)')).toBeCloseTo(both, 2);
    expect(found.get('lexical')).toBeCloseTo(words, 2);
  }
});
