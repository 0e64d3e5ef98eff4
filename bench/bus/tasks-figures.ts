/** Tasks a second with one worker thread, 64 or 1 of them open at once. */
import type { BenchOptions, Figure } from '../harness.ts';
import { figure, interleave, ratios } from '../harness.ts';
import type { BenchThreads } from './bench-threads.ts';
import { busTasksRate, poolTasksRate, startPool } from './tasks-contender.ts';

const windows = [
  { window: 64, tasks: 4_000, goal: 8 },
  { window: 1, tasks: 1_000, goal: 1 },
];
const fullScale = 8;

export async function tasksFigures(
  threads: BenchThreads,
  { quick, repetitions }: BenchOptions,
): Promise<Figure[]> {
  const pool = startPool(1);
  const figures: Figure[] = [];
  for (const { window, tasks, goal } of windows) {
    const filled = startPool(window);
    const load = { window, tasks: tasks * (quick ? 1 : fullScale) };
    const contenders = {
      bus: () => busTasksRate(threads, load),
      pool: () => poolTasksRate(pool, load),
      filled: () => poolTasksRate(filled, load),
    };
    await interleave(contenders, 2); // Warms up the compiler of every thread.
    const rates = await interleave(contenders, repetitions);
    await filled.destroy();
    const name = `tasks, window ${window}`;
    figures.push(
      figure(`${name}: bus / piscina`, 'x', ratios(rates.bus, rates.pool), { goal }),
      figure(`${name}: bus / piscina filled`, 'x', ratios(rates.bus, rates.filled)),
      figure(`${name}: bus`, '1/s', rates.bus),
      figure(`${name}: piscina`, '1/s', rates.pool),
      figure(`${name}: piscina filled`, '1/s', rates.filled),
    );
  }
  await pool.destroy();
  return figures;
}
