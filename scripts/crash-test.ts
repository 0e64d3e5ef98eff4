/**
 * The crash tests in their long form, on a simulated disk: `npm test` runs each
 * of them shortly. `scripts/chaos-kill.ts` kills real processes.
 *
 *   npm run test:crash [-- --scale F]     F times as many cases, 0.01 to 10
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const files = ['bit-flips', 'writer-crash', 'run-crash', 'erase-crash'].map(
  (name) => `test/crash/${name}.test.ts`,
);
const flips = 10_000;
const journalSchedules = 10_000;
/** On a durable journal and on a relaxed one. */
const runSchedules = 5_000;
const eraseSchedules = 1_000;

const at = process.argv.indexOf('--scale');
const scale = at < 0 ? 1 : Number(process.argv[at + 1]);
if (!(scale >= 0.01 && scale <= 10)) throw new Error('--scale takes a number from 0.01 to 10');
const scaled = (count: number): string => String(Math.ceil(count * scale));

const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', '--no-file-parallelism', ...files],
  {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: 'inherit',
    env: {
      ...process.env,
      JOURNAL_FLIPS: scaled(flips),
      JOURNAL_SCHEDULES: scaled(journalSchedules),
      CRASH_SCHEDULES: scaled(runSchedules),
      ERASE_SCHEDULES: scaled(eraseSchedules),
    },
  },
);
process.exitCode = status ?? 1;
