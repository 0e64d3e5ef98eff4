/**
 * Tasks to one worker and their results back: requests over the bus, whose
 * worker stands still while it waits, against piscina, whose worker does so
 * too. Both sides await a promise for each task. piscina hands a thread one
 * task at a time unless told otherwise; both forms are shown.
 */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { BenchThreads } from './bench-threads.ts';
import poolTask from './pool-task.ts';
import { parkedSeat, type Seat, tasks as taskTopic } from './seats.ts';

export interface TaskLoad {
  readonly tasks: number;
  /** Tasks open at once. */
  readonly window: number;
}

export interface ServeTask {
  readonly type: 'serve-tasks';
  readonly tasks: number;
}

/** Far beyond the time of a task. */
const deadlineMs = 60_000;

/** Worker: answers so many requests. */
export function serveTasks(seat: Seat, { tasks }: ServeTask): void {
  seat.onTask = (number, request) => {
    assert(seat.endpoint.reply(request, poolTask(number)), 'an outbox has room for a window');
  };
  seat.drainAll(tasks);
}

/** Main thread, in its event loop: tasks a second. */
export async function busTasksRate(threads: BenchThreads, load: TaskLoad): Promise<number> {
  const served = threads.run(0, { type: 'serve-tasks', tasks: load.tasks });
  const to = parkedSeat(1);
  const { endpoint } = threads.loop;
  const rate = await drive(load, (number) =>
    endpoint.request(to, taskTopic, number, { deadlineMs }),
  );
  await served;
  return rate;
}

/** A pool of one thread that holds up to `tasksPerThread` tasks at once. */
export function startPool(tasksPerThread: number): Piscina<number, number> {
  return new Piscina({
    filename: fileURLToPath(new URL('./pool-task.ts', import.meta.url)),
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: tasksPerThread,
  });
}

export function poolTasksRate(pool: Piscina<number, number>, load: TaskLoad): Promise<number> {
  return drive(load, (number) => pool.run(number));
}

/** Keeps a window of tasks open until all were answered, and checks every answer. */
async function drive(
  { tasks, window }: TaskLoad,
  run: (number: number) => Promise<number>,
): Promise<number> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < tasks) {
      const number = next;
      next += 1;
      const answer = await run(number);
      if (answer !== poolTask(number)) throw new Error(`task ${number} got a wrong answer`);
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: window }, lane));
  return tasks / ((performance.now() - startedMs) / 1_000);
}
