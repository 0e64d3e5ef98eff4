/**
 * Producers that are killed at random instants (see bus-unblock.ts).
 * BUS_KILL_SECONDS says for how long, over both rings together.
 */
import { expect, test } from 'vitest';
import { runKills } from './bus-unblock.ts';

const seconds = Number(process.env.BUS_KILL_SECONDS ?? 6) / 2;
const timeoutMs = seconds * 1_000 + 60_000;

test.each([
  ['a small ring that is mostly full', 4_096, 20_261_126],
  ['a ring with room', 64 * 1_024, 20_261_127],
])(
  'nothing that was committed to %s is lost, doubled, disordered or torn when producers are killed',
  async (name, capacityBytes, seed) => {
    const report = await runKills({ capacityBytes, producers: 4, seconds, gapsMin: 3, seed });
    process.stdout.write(
      `  ${name}: ${seconds} s, ${report.kills} kills, ${report.messages} messages, ` +
        `${report.gaps} gaps of ${report.gapBytes} bytes\n`,
    );
    expect(report.problems).toEqual([]);
    expect(report.kills).toBeGreaterThan(10);
    expect(report.survivorMessages).toBeGreaterThan(1_000);
    expect(report.gaps).toBeGreaterThanOrEqual(3);
  },
  timeoutMs,
);
