/**
 * A live actor in its host: the actor, its mailbox, and what the host has to
 * remember beside the fold.
 *
 * Invariants
 *   C1. The mailbox holds the messages of each sender in their order, without
 *       gaps or duplicates; a message that came too early is held back.
 */
import type { Actor, Envelope } from '../actors/actor.ts';
import { isAnswer } from '../actors/event.ts';
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';

export class ActorCell {
  actor: Actor;
  readonly epoch: number;
  /** Digest of the last event record; null before the first. */
  previousDigest: Buffer | null;
  /** Whether that event is one of the run's parent: the next one begins the chain of the fork. */
  begins = false;
  lastUsedMs: number;
  eventsSinceSnapshot = 0;
  scheduled = false;
  readonly #mailbox: Envelope[] = [];
  readonly #accepted: Map<string, number>;
  readonly #early = new Map<string, Envelope[]>();

  constructor(actor: Actor, epoch: number, previousDigest: Buffer | null, nowMs: number) {
    this.actor = actor;
    this.epoch = epoch;
    this.previousDigest = previousDigest;
    this.lastUsedMs = nowMs;
    this.#accepted = new Map(Object.entries(actor.received));
  }

  get mail(): number {
    return this.#mailbox.length;
  }

  /** Nothing waits here, not even out of order. */
  get isQuiet(): boolean {
    return this.#mailbox.length === 0 && this.#early.size === 0;
  }

  /** Takes a message into the mailbox, drops a duplicate, or holds an early one (C1). */
  accept(envelope: Envelope): void {
    assert(this.#mailbox.length < limits.mailboxMax, 'a mailbox stays within its bound');
    if (isAnswer(envelope.event)) {
      this.#mailbox.push(envelope);
      return;
    }
    const last = this.#accepted.get(envelope.from) ?? 0;
    if (envelope.number <= last) return;
    if (envelope.number > last + 1) {
      this.#hold(envelope);
      return;
    }
    this.#accepted.set(envelope.from, envelope.number);
    this.#mailbox.push(envelope);
    this.#release(envelope.from);
  }

  next(): Envelope | undefined {
    return this.#mailbox.shift();
  }

  /** Everything that still waits, when the actor moves on without it. */
  drainAll(): readonly Envelope[] {
    const early = [...this.#early.values()].flat();
    this.#early.clear();
    return [...this.#mailbox.splice(0), ...early];
  }

  #hold(envelope: Envelope): void {
    const held = this.#early.get(envelope.from) ?? [];
    assert(held.length < limits.mailboxMax, 'early messages stay within their bound');
    held.push(envelope);
    this.#early.set(envelope.from, held);
  }

  #release(from: string): void {
    const held = this.#early.get(from);
    if (held === undefined) return;
    this.#early.delete(from);
    for (const envelope of held.sort((left, right) => left.number - right.number))
      this.accept(envelope);
  }
}
