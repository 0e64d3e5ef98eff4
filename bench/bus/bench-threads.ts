import { once } from 'node:events';
import { type Transferable, Worker } from 'node:worker_threads';
import { assert } from '../../src/kernel/assert.ts';
import type { BusTask, TaskDone, WorkerSeats } from './protocol.ts';
import { benchSeats, Seat } from './seats.ts';

/**
 * The threads of the benchmark: workers, and the seats of the main thread on
 * the bus that connects them all. An error on a worker ends the process, as
 * nobody listens for it.
 */
export class BenchThreads {
  /** Where the main thread stands still while it waits. */
  readonly parked: Seat;
  /** Where it waits in its event loop. */
  readonly loop: Seat;
  readonly #workers: readonly Worker[];

  private constructor(workers: readonly Worker[], parked: Seat, loop: Seat) {
    this.#workers = workers;
    this.parked = parked;
    this.loop = loop;
  }

  /** Worker n is thread n + 1 of the bus. */
  static async start(count: number): Promise<BenchThreads> {
    const [main, ...others] = benchSeats(count + 1);
    assert(main !== undefined, 'the main thread has seats');
    const entry = new URL('./worker.ts', import.meta.url);
    const workers = others.map(({ parked, loop }) => {
      const workerData: WorkerSeats = { parked: parked.spec, loop: loop.spec };
      const transferList = [...parked.transferList, ...loop.transferList];
      return new Worker(entry, { workerData, transferList });
    });
    await Promise.all(workers.map((worker) => once(worker, 'online')));
    return new BenchThreads(workers, new Seat(main.parked.spec), new Seat(main.loop.spec));
  }

  /** Gives one worker a task, and resolves with the times in µs that it measured. */
  async run(
    index: number,
    task: BusTask,
    transferList: readonly Transferable[] = [],
  ): Promise<readonly number[]> {
    const worker = this.#workers[index];
    assert(worker !== undefined, `no worker ${index}`);
    worker.postMessage(task, transferList);
    const [{ timesUs }] = (await once(worker, 'message')) as [TaskDone];
    return timesUs;
  }

  async stop(): Promise<void> {
    this.parked.endpoint.close();
    this.loop.endpoint.close();
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
