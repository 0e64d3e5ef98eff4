import type { Context, Isolate, Reference } from 'isolated-vm';
import { guestSource } from './guest.ts';

export type IsolatedVm = typeof import('isolated-vm');

/** An isolate that waits for its script, with what prepares the script's world already compiled. */
export interface Prepared {
  readonly memoryMb: number;
  readonly isolate: Isolate;
  readonly context: Context;
  readonly boot: Reference;
  /** Called when the isolate is beyond help. */
  onCatastrophe: () => void;
}

/** An isolate with `memoryMb` MiB, and the guest code compiled in its one context. */
export async function prepare(ivm: IsolatedVm, memoryMb: number): Promise<Prepared> {
  let prepared: Prepared | null = null;
  const isolate = new ivm.Isolate({
    memoryLimit: memoryMb,
    onCatastrophicError: () => prepared?.onCatastrophe(),
  });
  const context = await isolate.createContext();
  const boot = await context.eval(guestSource, { reference: true, filename: 'guest.js' });
  prepared = { memoryMb, isolate, context, boot, onCatastrophe: () => {} };
  return prepared;
}
