/** Events as a run really produces them, of median and of large size, a second. */
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { BenchOptions, Figure } from '../harness.ts';
import { figure, interleave, ratios } from '../harness.ts';
import type { BenchThreads } from './bench-threads.ts';
import { eventSizes } from './object-payload.ts';
import {
  endpointObjectsRate,
  frameObjectsRate,
  msgpackrObjectsRate,
  portObjectsRate,
} from './objects-contender.ts';

/** Objects of one sample in the short form, and how many times as many the full form sends. */
const objects = 10_000;
const fullScale = 8;
const goal = 2.5;

export async function objectsFigures(
  threads: BenchThreads,
  { quick, repetitions }: BenchOptions,
): Promise<Figure[]> {
  const memory = ManyToOneRingBuffer.allocate(limits.inboxRingBytes);
  const figures: Figure[] = [];
  for (const size of eventSizes) {
    const load = { size, messages: objects * (quick ? 1 : fullScale) };
    const contenders = {
      frames: () => frameObjectsRate(threads, load, memory),
      endpoint: () => endpointObjectsRate(threads, load),
      msgpackr: () => msgpackrObjectsRate(threads, load, memory),
      port: () => portObjectsRate(threads, load),
    };
    await interleave(contenders, 2); // Warms up the compiler of every thread.
    const rates = await interleave(contenders, repetitions);
    const name = `${size} event`;
    figures.push(
      figure(`${name}: codec and frames / clone`, 'x', ratios(rates.frames, rates.port), { goal }),
      figure(`${name}: endpoint / clone`, 'x', ratios(rates.endpoint, rates.port)),
      figure(
        `${name}: codec / msgpackr, both in frames`,
        'x',
        ratios(rates.frames, rates.msgpackr),
      ),
      figure(`${name}: codec and frames`, '1/s', rates.frames),
      figure(`${name}: msgpackr in frames`, '1/s', rates.msgpackr),
      figure(`${name}: endpoint`, '1/s', rates.endpoint),
      figure(`${name}: clone`, '1/s', rates.port),
    );
  }
  return figures;
}
