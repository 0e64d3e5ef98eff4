/** Starts the authority's thread, from the main thread. */
import { type MessagePort, Worker } from 'node:worker_threads';
import type { BusSeat } from '../../bus/endpoint.ts';
import type { PublicKey } from '../../identity/signing-key.ts';
import { type ErrorMessage, fromErrorMessage, RuntimeError } from '../../kernel/errors.ts';
import { siblingModule } from '../../kernel/module-url.ts';
import type { IdentityReady, IdentityWorkerData } from './protocol.ts';

export interface IdentityWorker {
  /** Public key of the authority. */
  readonly publicKey: PublicKey;
  /** Gives it the bell of a host that has taken the place of another. */
  hear(bell: MessagePort): void;
  /** Resolves when the thread has ended. */
  readonly exited: Promise<void>;
  terminate(): Promise<void>;
}

/**
 * Resolves once the authority has its key.
 * @param onExit Called when the thread ends, with the error that ended it, if any.
 * @throws RuntimeError KEY_FILE_INVALID
 */
export async function startIdentityWorker(
  seat: BusSeat,
  data: Omit<IdentityWorkerData, 'endpoint'>,
  onExit: (error: Error | null) => void,
): Promise<IdentityWorker> {
  const worker = new Worker(siblingModule(import.meta.url, 'entry'), {
    name: 'identity',
    workerData: { ...data, endpoint: seat.spec } satisfies IdentityWorkerData,
    transferList: seat.transferList,
  });
  let failure: Error | null = null;
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  let isReady = false;
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      if (isReady) onExit(failure);
      resolve();
    });
  });
  const first = new Promise<IdentityReady | { readonly error: ErrorMessage }>((resolve) => {
    worker.once('message', resolve);
    void exited.then(() =>
      resolve({ error: { code: 'INTERNAL', message: failure?.message ?? 'The authority ended.' } }),
    );
  });
  const ready = await first;
  if ('error' in ready) {
    await worker.terminate();
    const error = fromErrorMessage(ready.error);
    throw error instanceof RuntimeError ? error : new RuntimeError('INTERNAL', String(error));
  }
  isReady = true;
  return {
    publicKey: ready.publicKey,
    hear: (bell) => worker.postMessage(bell, [bell]),
    exited,
    terminate: async () => {
      await worker.terminate();
    },
  };
}
