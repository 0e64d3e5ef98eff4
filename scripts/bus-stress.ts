/**
 * The stress tests of the bus in their long form: producers and holders of
 * payloads that are killed, a flood, mutated frames, and the interleavings that
 * take minutes. `npm test` runs each of them shortly.
 *
 *   npm run stress:bus [-- --seconds N]     N seconds of kills, half of it of flood
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const files = [
  'test/stress/bus-unblock.test.ts',
  'test/stress/bus-arena.test.ts',
  'test/stress/bus-flood.test.ts',
  'test/stress/bus-frame-fuzz.test.ts',
  'test/bus/ring-interleavings.test.ts',
];

const at = process.argv.indexOf('--seconds');
const seconds = at < 0 ? 60 : Number(process.argv[at + 1]);
if (!(seconds >= 1)) throw new Error('--seconds takes a number from 1 on');

const root = fileURLToPath(new URL('..', import.meta.url));
const { status } = spawnSync(
  process.execPath,
  // One after the other: each wants the whole machine.
  ['node_modules/vitest/vitest.mjs', 'run', '--no-file-parallelism', ...files],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      BUS_KILL_SECONDS: String(seconds),
      BUS_ARENA_SECONDS: String(seconds / 2),
      BUS_FLOOD_SECONDS: String(seconds / 2),
      BUS_FUZZ_FRAMES: '1000000',
      BUS_INTERLEAVINGS: 'long',
    },
  },
);
process.exitCode = status ?? 1;
