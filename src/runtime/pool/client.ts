/**
 * The pool for stateless CPU work: reading, hashing, replaying. Threads
 * start when work comes and end when it stays away.
 *
 * Invariants
 *   C1. The queue is bounded; a full one is refused, never grown.
 *   C2. An error of a task arrives as the same RuntimeError, rebuilt by code.
 *   C3. After close, every task is refused and no thread is left.
 *   C4. Every task ends: when a thread does not start, piscina keeps the queue
 *       waiting for ever, so the pool fails its tasks itself.
 */
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { fromErrorMessage, RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { siblingModule } from '../../kernel/module-url.ts';
import { defaultPoolThreads } from './default-threads.ts';
import type { PoolReply, PoolTask, PoolTaskName, PoolTasks } from './protocol.ts';

export interface CpuPoolOptions {
  /** Defaults to one less than the cores, at least 1; at most `limits.poolThreadsMax`. */
  readonly threads?: number;
  /** A thread without work ends after this long. */
  readonly idleMs?: number;
  /** The module that the threads run. */
  readonly entry?: URL;
}

interface RunningTask {
  readonly reply: Promise<PoolReply>;
  readonly fail: (reason: Error) => void;
}

export class CpuPool {
  /** Threads at most. */
  readonly threadsMax: number;
  readonly #pool: Piscina<PoolTask, PoolReply>;
  readonly #running = new Set<RunningTask>();
  #failure: Error | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: CpuPoolOptions = {}) {
    this.threadsMax = Math.min(options.threads ?? defaultPoolThreads(), limits.poolThreadsMax);
    this.#pool = new Piscina({
      filename: fileURLToPath(options.entry ?? siblingModule(import.meta.url, 'entry')),
      name: 'runTask',
      minThreads: 0,
      maxThreads: this.threadsMax,
      maxQueue: limits.poolQueueMax,
      idleTimeout: options.idleMs ?? limits.poolIdleMsMax,
    });
    this.#pool.on('error', (failure: Error) => {
      this.#failure = failure; // (C4)
      for (const task of this.#running) task.fail(failure);
    });
  }

  /** Threads that live now. */
  get threads(): number {
    return this.#pool.threads.length;
  }

  /**
   * Runs one task. Tasks run in parallel and end in any order.
   * @throws RuntimeError of the task, OUTBOX_FULL when the queue is full (C1),
   * INTERNAL when the pool is closed or the thread died.
   */
  async run<Name extends PoolTaskName>(
    type: Name,
    request: PoolTasks[Name]['request'],
  ): Promise<PoolTasks[Name]['result']> {
    if (this.#closing !== null) {
      throw new RuntimeError('INTERNAL', `The pool is closed and takes no ${type} task.`);
    }
    // (C1) One below piscina's own bound, which it reports as an untyped error.
    if (this.#pool.queueSize >= limits.poolQueueMax - 1) {
      throw new RuntimeError('OUTBOX_FULL', 'The pool has no room for another task; try later.', {
        retryable: true,
      });
    }
    const reply = await this.#send({ type, request } as PoolTask);
    if (reply.type === 'error') throw fromErrorMessage(reply.error); // (C2)
    // The entry answers each task with the result of its own line in PoolTasks.
    return reply.result as PoolTasks[Name]['result'];
  }

  /** Lets the accepted tasks finish, then ends the threads (C3). May be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  /** Waits itself: piscina's close loses tasks whose thread is still starting. */
  async #finish(): Promise<void> {
    await Promise.allSettled([...this.#running].map((task) => task.reply));
    await (this.#failure === null ? this.#pool.close() : this.#pool.destroy());
  }

  async #send(task: PoolTask): Promise<PoolReply> {
    const { promise: reply, resolve, reject: fail } = Promise.withResolvers<PoolReply>();
    const running: RunningTask = { reply, fail };
    this.#running.add(running);
    if (this.#failure === null) this.#pool.run(task).then(resolve, fail);
    else fail(this.#failure);
    try {
      return await reply;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new RuntimeError('INTERNAL', `A ${task.type} task of the pool was lost: ${reason}.`, {
        cause,
      });
    } finally {
      this.#running.delete(running);
    }
  }
}
