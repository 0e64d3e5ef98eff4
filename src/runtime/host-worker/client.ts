/** Starts and stops a host worker, from the main thread. */
import { channel } from 'node:diagnostics_channel';
import type { MessagePort } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';
import { assert } from '../../kernel/assert.ts';
import { RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { siblingModule } from '../../kernel/module-url.ts';
import { UnbrokenSection } from '../unbroken-section.ts';
import type { HostReady, HostWorkerData } from './protocol.ts';

export interface HostWorker {
  readonly index: number;
  /** Resolves when the thread has ended. */
  readonly exited: Promise<void>;
  /** Ends the thread at whatever it is doing, but for what it does in one piece. */
  terminate(): Promise<void>;
}

/** Hears of each host that has begun, ready or not: `Pick<HostWorker, 'index' | 'exited' | 'terminate'>`. */
export const hostBegan = channel('openclaw:host-began');

/**
 * Starts the thread and waits until it is ready.
 * @throws RuntimeError INTERNAL when the thread ends first.
 * @param onExit Called when the thread ends, with the error that ended it, if any.
 */
export async function startHostWorker(
  given: Omit<HostWorkerData, 'unbroken'>,
  transferList: readonly MessagePort[],
  onExit: (error: Error | null) => void,
): Promise<HostWorker> {
  const unbroken = new UnbrokenSection();
  const data: HostWorkerData = { ...given, unbroken: unbroken.memory };
  const worker = new Worker(siblingModule(import.meta.url, 'entry'), {
    name: `host-${data.index}`,
    workerData: data,
    transferList: [...transferList],
    resourceLimits: { maxOldGenerationSizeMb: limits.hostHeapMiBMax },
  });
  let failure: Error | null = null;
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      onExit(failure);
      resolve();
    });
  });
  const terminate = async (): Promise<void> => {
    await unbroken.shut(limits.hostShutMsMax);
    await worker.terminate();
  };
  const begun = { index: data.index, exited, terminate };
  hostBegan.publish(begun);
  const ready = await new Promise<HostReady>((resolve, reject) => {
    worker.once('message', (message: HostReady) => resolve(message));
    worker.once('exit', () => {
      const message = `The thread host-${data.index} ended before it was ready: ${failure?.message ?? 'no reason given'}.`;
      reject(new RuntimeError('INTERNAL', message, { cause: failure }));
    });
  });
  assert(ready.type === 'ready', 'a host reports ready first');
  return begun;
}
