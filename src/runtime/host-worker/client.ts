/** Starts and stops a host worker, from the main thread. */
import type { MessagePort } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';
import type { PublicKey } from '../../identity/signing-key.ts';
import { assert } from '../../kernel/assert.ts';
import { RuntimeError } from '../../kernel/errors.ts';
import { siblingModule } from '../../kernel/module-url.ts';
import type { HostReady, HostWorkerData } from './protocol.ts';

export interface HostWorker {
  readonly index: number;
  readonly publicKey: PublicKey;
  /** Resolves when the thread has ended. */
  readonly exited: Promise<void>;
  terminate(): Promise<void>;
}

/**
 * Starts the thread and waits until it is ready.
 * @throws RuntimeError INTERNAL when the thread ends first.
 * @param onExit Called when the thread ends, with the error that ended it, if any.
 */
export async function startHostWorker(
  data: HostWorkerData,
  transferList: readonly MessagePort[],
  onExit: (error: Error | null) => void,
): Promise<HostWorker> {
  const worker = new Worker(siblingModule(import.meta.url, 'entry'), {
    name: `host-${data.index}`,
    workerData: data,
    transferList: [...transferList],
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
  const ready = await new Promise<HostReady>((resolve, reject) => {
    worker.once('message', (message: HostReady) => resolve(message));
    worker.once('exit', () => {
      const message = `The thread host-${data.index} ended before it was ready: ${failure?.message ?? 'no reason given'}.`;
      reject(new RuntimeError('INTERNAL', message, { cause: failure }));
    });
  });
  assert(ready.type === 'ready', 'a host reports ready first');
  return {
    index: data.index,
    publicKey: ready.publicKey,
    exited,
    terminate: async () => {
      await worker.terminate();
    },
  };
}
