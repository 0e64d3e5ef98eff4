/** Starts the actuator worker, from the main thread. */
import { type MessagePort, Worker } from 'node:worker_threads';
import type { BusSeat } from '../../bus/endpoint.ts';
import { fromErrorMessage, RuntimeError } from '../../kernel/errors.ts';
import { siblingModule } from '../../kernel/module-url.ts';
import type { ActuatorsReady, ActuatorWorkerData } from './protocol.ts';

export interface ActuatorWorker {
  /** Gives it the bell of a host that has taken the place of another. */
  hear(bell: MessagePort): void;
  /** Resolves when it takes intentions. @throws RuntimeError POLICY_INVALID, NATIVE_PACKAGE_MISSING */
  readonly ready: Promise<void>;
  /** Resolves when the thread has ended. */
  readonly exited: Promise<void>;
  terminate(): Promise<void>;
}

/** @param onExit Called when the thread ends, with the error that ended it, if any. */
export function startActuatorWorker(
  seat: BusSeat,
  data: Omit<ActuatorWorkerData, 'endpoint'>,
  onExit: (error: Error | null) => void,
): ActuatorWorker {
  const worker = new Worker(siblingModule(import.meta.url, 'entry'), {
    name: 'actuators',
    workerData: { ...data, endpoint: seat.spec } satisfies ActuatorWorkerData,
    transferList: seat.transferList,
  });
  let failure: Error | null = null;
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  const ready = new Promise<void>((resolve, reject) => {
    worker.once('message', (message: ActuatorsReady) => {
      if (message.type === 'ready') resolve();
      else reject(fromErrorMessage(message.error));
    });
    worker.once('exit', () => {
      reject(new RuntimeError('INTERNAL', 'The actuator thread ended before it was ready.'));
    });
  });
  // Whoever starts the thread waits for it, unless something else has failed before.
  ready.catch(() => undefined);
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      onExit(failure);
      resolve();
    });
  });
  return {
    hear: (bell) => worker.postMessage(bell, [bell]),
    ready,
    exited,
    terminate: async () => {
      await worker.terminate();
    },
  };
}
