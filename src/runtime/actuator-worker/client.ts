/** Starts the actuator worker, from the main thread. */
import { type MessagePort, Worker } from 'node:worker_threads';
import type { BusSeat } from '../../bus/endpoint.ts';
import { siblingModule } from '../../kernel/module-url.ts';
import type { ActuatorWorkerData } from './protocol.ts';

export interface ActuatorWorker {
  /** Gives it the bell of a host that has taken the place of another. */
  hear(bell: MessagePort): void;
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
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      onExit(failure);
      resolve();
    });
  });
  return {
    hear: (bell) => worker.postMessage(bell, [bell]),
    exited,
    terminate: async () => {
      await worker.terminate();
    },
  };
}
