/**
 * Payloads through the arena. At 4 MiB the sender fills a slab from where the
 * payload was before, and the receiver reads it in place: one copy remains,
 * and the limit is how fast the machine copies. Passing a payload on must cost
 * the same whatever its size.
 */
import type { BenchOptions, Figure } from '../harness.ts';
import { figure, interleave, median, ratios } from '../harness.ts';
import type { BenchThreads } from './bench-threads.ts';
import { inFlightMax } from './in-flight.ts';
import { allocateLeases, leasesRate } from './leases-contender.ts';
import type { Load } from './load.ts';
import { MemoryLimit } from './memory-limit.ts';
import { portRate } from './port-contender.ts';

const KiB = 1_024;
const MiB = 1_024 * KiB;

const fillBytes = 4 * MiB;
const fillMessages = 40;

const passSizes = [64 * KiB, MiB, 16 * MiB, 64 * MiB];
const passMessages = 20_000;
/** Payloads in flight at any size, so that size is all that differs. */
const passSlabs = 64;

const fullScale = 8;

export async function largeFigures(
  threads: BenchThreads,
  options: BenchOptions,
): Promise<Figure[]> {
  return [...(await fillFigures(threads, options)), ...(await passFigures(threads, options))];
}

async function fillFigures(
  threads: BenchThreads,
  { quick, repetitions }: BenchOptions,
): Promise<Figure[]> {
  const messages = fillMessages * (quick ? 1 : fullScale);
  const load: Load = { messages, lengthBytes: fillBytes, producers: 1 };
  const memory = allocateLeases(fillBytes, inFlightMax(fillBytes));
  const limit = new MemoryLimit(fillBytes, inFlightMax(fillBytes));
  const contenders = {
    arena: () => leasesRate(threads, load, 'fill', memory),
    copy: () => limit.rate(messages),
    clone: () => portRate(threads, load, 'clone'),
    transfer: () => portRate(threads, load, 'transfer'),
  };
  await interleave(contenders, 1);
  const rates = await interleave(contenders, repetitions);
  return [
    figure('4 MiB: arena / memory copy', 'x', ratios(rates.arena, rates.copy), { goal: 0.85 }),
    figure('4 MiB: arena / clone', 'x', ratios(rates.arena, rates.clone)),
    figure('4 MiB: arena', '1/s', rates.arena),
    figure('4 MiB: memory copy', '1/s', rates.copy),
    figure('4 MiB: clone', '1/s', rates.clone),
    figure('4 MiB: transfer', '1/s', rates.transfer),
  ];
}

async function passFigures(
  threads: BenchThreads,
  { quick, repetitions }: BenchOptions,
): Promise<Figure[]> {
  const messages = passMessages * (quick ? 1 : fullScale);
  const contenders = Object.fromEntries(
    passSizes.map((lengthBytes) => {
      const memory = allocateLeases(lengthBytes, passSlabs);
      const load: Load = { messages, lengthBytes, producers: 1 };
      return [nameOf(lengthBytes), () => leasesRate(threads, load, 'pass', memory)];
    }),
  );
  await interleave(contenders, 1);
  const rates = await interleave(contenders, repetitions);
  const medians = Object.values(rates).map(median);
  const spread = Math.max(...medians) / Math.min(...medians);
  return [
    figure('arena pass: fastest size / slowest size', 'x', [spread], {
      goal: 1.1,
      higherIsBetter: false,
    }),
    ...Object.entries(rates).map(([name, samples]) =>
      figure(`arena pass: ${name}`, '1/s', samples, { goal: 2_000_000 }),
    ),
  ];
}

function nameOf(lengthBytes: number): string {
  return lengthBytes < MiB ? `${lengthBytes / KiB} KiB` : `${lengthBytes / MiB} MiB`;
}
