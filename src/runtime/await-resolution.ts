/** Brings a human's word on an effect to its actor, and waits until the journal shows it. */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { effectLedger } from './effect-ledger.ts';
import type { EventFeed } from './event-feed.ts';
import type { JournalFollower } from './journal-follower.ts';
import { resolution } from './resolve-effect.ts';
import type { RunEntry } from './run-index.ts';
import type { RunLifecycle } from './run-lifecycle.ts';
import type { EffectView, ResolveRequest } from './views.ts';

export interface ResolvePorts {
  readonly follower: JournalFollower;
  readonly feed: Pick<EventFeed, 'subscribe'>;
  readonly lifecycle: Pick<RunLifecycle, 'deliver' | 'ended'>;
}

/** @throws RuntimeError as `resolution`, OUTBOX_FULL */
export async function resolveEffect(
  ports: ResolvePorts,
  entry: RunEntry,
  request: ResolveRequest,
): Promise<EffectView> {
  const { key } = request;
  const find = () => effectLedger(ports.follower, entry).find((each) => each.key === key);
  const next = entry.events.length + 1;
  // A run that was interrupted may be about to say that nobody knows.
  if (find()?.status === 'open') {
    await heardOf(ports, entry, next, key, AbortSignal.timeout(limits.resolveWaitMsMax));
  }
  await ports.lifecycle.deliver(resolution(ports.follower, entry, request));
  while (find()?.answered === null && entry.ended === null && entry.suspended === null) {
    await heardOf(ports, entry, entry.events.length + 1, key);
  }
  const effect = find();
  assert(effect !== undefined, 'an effect that was resolved is in the ledger');
  return effect;
}

/** Resolves once an event from `from` on speaks of the intention, the run is over, or with the signal. */
async function heardOf(
  { feed, lifecycle }: ResolvePorts,
  entry: RunEntry,
  from: number,
  key: string,
  until?: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const heard = new Promise<void>((resolve) => {
    const stop = feed.subscribe(entry, from, ({ cause }) => {
      if (cause === key) resolve();
    });
    over.signal.addEventListener('abort', stop, { once: true });
  });
  const signal = AbortSignal.any([over.signal, ...(until === undefined ? [] : [until])]);
  const ended = lifecycle.ended(entry, signal).catch(() => undefined);
  await Promise.race([heard, ended]);
  over.abort();
}
