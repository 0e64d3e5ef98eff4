/**
 * `npm run test:security`: every attack of test/security, and a table of what
 * became of them by family. Arguments go to vitest.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));

const reportSchema = z.object({
  numFailedTests: z.number(),
  numPassedTests: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      assertionResults: z.array(
        z.object({
          ancestorTitles: z.array(z.string()),
          title: z.string(),
          status: z.string(),
          meta: z.object({ figure: z.string().optional() }).optional(),
        }),
      ),
    }),
  ),
});

type Report = z.output<typeof reportSchema>;

function runTests(folder: string): { passed: boolean; report: Report } {
  const file = join(folder, 'report.json');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const words = ['run', 'test/security', '--maxWorkers=1', ...reporters, ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, [vitest, ...words], {
    cwd: root,
    stdio: 'inherit',
  });
  return {
    passed: status === 0,
    report: reportSchema.parse(JSON.parse(readFileSync(file, 'utf8'))),
  };
}

/** Family (or file, for tests outside a family), contained, escaped. */
function rows({ testResults }: Report): string[][] {
  const counts = new Map<string, { contained: number; failed: number }>();
  for (const { name, assertionResults } of testResults) {
    for (const { ancestorTitles, status } of assertionResults) {
      if (status !== 'passed' && status !== 'failed') continue;
      const family = ancestorTitles.filter(Boolean)[0] ?? name.replace(/^.*\//, '');
      const count = counts.get(family) ?? { contained: 0, failed: 0 };
      if (status === 'passed') count.contained += 1;
      else count.failed += 1;
      counts.set(family, count);
    }
  }
  return [...counts].map(([family, { contained, failed }]) => [
    family,
    String(contained),
    String(failed),
  ]);
}

function print(table: readonly (readonly string[])[]): void {
  const width = Math.max(...table.map(([first = '']) => first.length));
  for (const [first = '', ...others] of table) {
    console.log([first.padEnd(width), ...others.map((cell) => cell.padStart(9))].join('  '));
  }
}

const folder = mkdtempSync(join(tmpdir(), 'openclaw-security-'));
try {
  const { passed, report } = runTests(folder);
  const { numPassedTests, numFailedTests } = report;
  console.log();
  print([
    ['attack', 'contained', 'not'],
    ...rows(report),
    ['all', String(numPassedTests), String(numFailedTests)],
  ]);
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  for (const { meta } of results) if (meta?.figure !== undefined) console.log(meta.figure);
  process.exitCode = passed ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
