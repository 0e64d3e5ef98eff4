/** Waits for something that itself cannot be stopped, such as a load that others wait for too. */
import { abortedError } from './time-limit.ts';

/** @throws RuntimeError INFERENCE_ABORTED when the signal fires first; whatever the promise rejects with */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw abortedError();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(abortedError());
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
