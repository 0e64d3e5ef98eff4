/**
 * `npm test`: types, lint, unused code and every test, in one run that ends
 * with one line, `N passed, N failed`. Arguments go to vitest; with arguments
 * the three checks are left out.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Totals {
  passed: number;
  failed: number;
}

const reportSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  testResults: z.array(
    z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) }),
  ),
});

function run(script: string, args: readonly string[]): boolean {
  const path = join(root, 'node_modules', script);
  // The very Node that runs this file, whatever else is on the machine.
  const result = spawnSync(process.execPath, [path, ...args], { cwd: root, stdio: 'inherit' });
  return result.status === 0;
}

function check(totals: Totals, name: string, script: string, args: readonly string[]): void {
  console.log(`\n> ${name}`);
  const passed = run(script, args);
  console.log(`${passed ? 'passed' : 'FAILED'}: ${name}`);
  totals[passed ? 'passed' : 'failed'] += 1;
}

function runVitest(totals: Totals, args: readonly string[]): void {
  console.log('\n> tests');
  const folder = mkdtempSync(join(tmpdir(), 'openclaw-tests-'));
  try {
    const file = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const passed = run('vitest/vitest.mjs', ['run', ...reporters, ...args]);
    const report = reportSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    totals.passed += report.numPassedTests;
    totals.failed += report.numFailedTests + brokenFiles(report);
    // An error outside every test, such as an unhandled rejection.
    if (!passed && report.numFailedTests + brokenFiles(report) === 0) totals.failed += 1;
  } catch (error) {
    console.error(`The test runner ended without its report: ${error}`);
    totals.failed += 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Test files that failed before any of their tests did. */
function brokenFiles(report: z.output<typeof reportSchema>): number {
  return report.testResults.filter(
    (file) =>
      file.status === 'failed' &&
      !file.assertionResults.some((result) => result.status === 'failed'),
  ).length;
}

/**
 * Programs that tests use and that are no packages of npm: the second reader of
 * the journal is in Python, bubblewrap is what sandboxes are made of, and ip gives
 * addresses to networks of a test's own. Where one is absent and can be had, it is installed.
 */
const programs = [
  { name: 'python3', command: 'python3' },
  ...(process.platform === 'linux'
    ? [
        { name: 'bubblewrap', command: 'bwrap' },
        { name: 'iproute2', command: 'ip' },
      ]
    : []),
];

function providePrograms(): void {
  const succeeds = (command: string, args: readonly string[]): boolean =>
    spawnSync(command, args, { stdio: 'ignore' }).status === 0;
  for (const { name, command } of programs) {
    if (succeeds(command, [command === 'ip' ? '-V' : '--version'])) continue;
    console.log(`\n> installing ${name}`);
    const isThere =
      succeeds('apt-get', ['update']) && succeeds('apt-get', ['install', '--yes', name]);
    if (!isThere) console.log(`${name} is not here and cannot be installed; install it.`);
  }
}

const totals: Totals = { passed: 0, failed: 0 };
const args = process.argv.slice(2);
if (args.length === 0) {
  check(totals, 'types', 'typescript/bin/tsc', ['--noEmit']);
  check(totals, 'lint', '@biomejs/biome/bin/biome', ['check', '.']);
  check(totals, 'unused code', 'knip/bin/knip.js', []);
}
providePrograms();
runVitest(totals, args);
console.log(`\n${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 ? 0 : 1;
