/**
 * Explores everything that a few threads can do to one slab at once: the real
 * `SlabLeases` over shared memory whose every access is a scheduling point,
 * and a thread may die before any of them.
 *
 *   S1. Whoever holds a lease finds its own payload, in a live slab of its own
 *       generation, at any time.
 *   S2. When all have ended, and the dead are reclaimed, the slab is free.
 *   S3. Nobody who lives is refused a lease that was sent to it.
 */
import { Arena } from '../../src/bus/arena.ts';
import type { ArenaLayout } from '../../src/bus/arena-descriptor.ts';
import {
  arenaLayoutOf,
  endedWords,
  generationPosition,
  grantsPosition,
  leasesField,
  lengthField,
  rowLimitField,
  rowWord,
} from '../../src/bus/arena-descriptor.ts';
import { belongsTo, isBetween, isFree, serialOf } from '../../src/bus/lease-word.ts';
import { SharedWords } from '../../src/bus/shared-words.ts';
import { refusedLease, SlabLeases } from '../../src/bus/slab-leases.ts';
import type { LogicalThread, Port } from './ring-interleavings-course.ts';
import { type Exploration, explore } from './ring-interleavings-explorer.ts';

const slab = 0;
const byteLength = 8;
/** Leases beyond these are given by no scenario, so nobody writes their words. */
const leasesUsed = 4;
/** Payload and mail lie in the slab itself; their places are told from those of words. */
const payloadPlace = 1_000_000;

export class SteppedSlabWords extends SharedWords {
  readonly #port: Port;
  readonly #row: number;

  constructor(memory: SharedArrayBuffer, port: Port) {
    const layout = arenaLayoutOf(memory);
    super(memory, layout.dataOffset);
    this.#port = port;
    this.#row = rowWord(layout, slab);
  }

  override read(word: number): number {
    return this.#port.access('read', this.#place(word), () => super.read(word)) as number;
  }

  override write(word: number, value: number): void {
    this.#port.access('write', this.#place(word, value), () => {
      super.write(word, value);
      return undefined;
    });
  }

  override load(word: number): number {
    if (word >= this.#row + leasesField + leasesUsed) return super.load(word);
    return this.#port.access('load', this.#place(word), () => super.load(word)) as number;
  }

  override store(word: number, value: number): void {
    this.#port.access('store', this.#place(word, value), () => {
      super.store(word, value);
      return undefined;
    });
  }

  override compareExchange(word: number, expected: number, next: number): number {
    const perform = (): number => super.compareExchange(word, expected, next);
    return this.#port.access('update', this.#place(word, next), perform) as number;
  }

  override loadPosition(index: number): bigint {
    const place = this.#place(index * 2);
    return this.#port.access('load', place, () => super.loadPosition(index)) as bigint;
  }

  override addPosition(index: number, value: bigint): bigint {
    const perform = (): bigint => super.addPosition(index, value);
    return this.#port.access('update', this.#place(index * 2, value), perform) as bigint;
  }

  override compareExchangePosition(index: number, expected: bigint, next: bigint): bigint {
    const perform = (): bigint => super.compareExchangePosition(index, expected, next);
    return this.#port.access('update', this.#place(index * 2, next), perform) as bigint;
  }

  #place(word: number, value?: number | bigint): { name: string; number: number } {
    const name = value === undefined ? this.#nameOf(word) : `${this.#nameOf(word)} ${value}`;
    return { name, number: word };
  }

  #nameOf(word: number): string {
    if (word < this.#row) return `end of ${word - endedWords}`;
    const field = word - this.#row;
    if (field < 2 * grantsPosition) return field === 2 * generationPosition ? 'generation' : 'low';
    if (field < rowLimitField) return 'grants';
    if (field === rowLimitField) return 'row limit';
    return field === lengthField ? 'length' : `lease ${field - leasesField}`;
  }
}

/** A lease as the thread that holds it knows it. */
interface HeldLease {
  readonly lease: number;
  readonly word: number;
  readonly generation: number;
}

/** One thread at the slab: what it does is what the real arena does, step by step. */
export class Hand {
  readonly #port: Port;
  readonly #slabs: SlabLeases;
  readonly #words: SteppedSlabWords;
  readonly #data: Int32Array;
  readonly #layout: ArenaLayout;
  readonly #self: number;

  constructor(memory: SharedArrayBuffer, port: Port, self: number, faults: Faults) {
    this.#port = port;
    this.#self = self;
    this.#layout = arenaLayoutOf(memory);
    this.#words = faults.words?.(memory, port) ?? new SteppedSlabWords(memory, port);
    this.#slabs = new SlabLeases(this.#words, this.#layout, self);
    this.#data = new Int32Array(memory, this.#layout.dataOffset, 1_024);
  }

  /** Takes the slab and fills it, if it is free. */
  take(): HeldLease | null {
    const generation = this.#slabs.tryTake(slab, byteLength);
    if (generation === refusedLease) return null;
    const held = { lease: 0, word: this.#slabs.wordOf(slab, 0), generation };
    this.#port.access('write', { name: `payload ${generation}`, number: payloadPlace }, () => {
      this.#data[0] = generation;
      return undefined;
    });
    return held;
  }

  /** A lease that the thread holds from the start. */
  initial(lease: number): HeldLease {
    return { lease, word: this.#slabs.wordOf(slab, lease), generation: 1 };
  }

  grant(from: HeldLease): HeldLease {
    const lease = this.#slabs.tryGrant(slab);
    return { lease, word: this.#slabs.wordOf(slab, lease), generation: from.generation };
  }

  /** (S1) */
  check(held: HeldLease): void {
    const place = { name: 'payload', number: payloadPlace };
    const found = this.#port.access('read', place, () => this.#data[0]);
    if (found !== held.generation) {
      throw new Error(`payload ${String(found)} instead of ${held.generation}`);
    }
    const position = rowWord(this.#layout, slab) / 2 + generationPosition;
    const generation = this.#words.loadPosition(position);
    if (Number(generation) !== held.generation) {
      throw new Error(`generation ${generation} instead of ${held.generation}`);
    }
  }

  /** Checks the payload a last time and gives the lease up. */
  release(held: HeldLease): void {
    this.check(held);
    this.#slabs.release(slab, held.lease, held.word);
  }

  /** Sends the lease and then, as a frame would, what names it. */
  send(held: HeldLease, to: number): void {
    const sent = this.#slabs.send(slab, held.lease, held.word, to);
    const name = (held.generation << 24) | (held.lease << 16) | serialOf(sent);
    this.#port.access('update', { name: `mail to ${to}`, number: payloadPlace + to }, () => {
      this.#data[to] = name;
      return undefined;
    });
  }

  /** Waits for the mail of `from`; null when that thread ended or died without any. */
  receive(from: number): HeldLease | null {
    const mail = this.#port.take({
      type: 'guard',
      name: 'finds mail',
      value: (world) => {
        const found = this.#data[this.#self] ?? 0;
        if (found !== 0) return found;
        return world.hasEnded(from) ? 0 : undefined;
      },
    }) as number;
    if (mail === 0) return null;
    const name = { generation: mail >> 24, lease: (mail >> 16) & 0xff, serial: mail & 0xffff };
    const word = this.#slabs.tryAccept({ slab, byteLength, ...name });
    if (word === refusedLease) throw new Error('refused a lease that was sent'); // (S3)
    return { lease: name.lease, word, generation: name.generation };
  }

  /** Reclaims whoever of the threads dies, and what was in flight from it to a receiver that has ended. */
  bury(mortal: readonly number[], receiver: number): void {
    const dead = this.#port.take({
      type: 'guard',
      name: 'sees the death of',
      value: (world) => {
        const found = mortal.find((thread) => world.isDead(thread));
        if (found !== undefined) return found;
        return mortal.every((thread) => world.hasEnded(thread)) ? -1 : undefined;
      },
    }) as number;
    if (dead === -1) return;
    this.#slabs.ended(dead);
    this.#slabs.reclaim(slab, (word) => belongsTo(dead, word));
    if (dead === receiver) return;
    this.#port.take({
      type: 'guard',
      name: 'sees the end of the receiver',
      value: (world) => (world.hasEnded(receiver) ? 1 : undefined),
    });
    this.#slabs.reclaim(slab, (word) => isBetween({ from: dead, to: receiver }, word));
  }
}

/** Deliberate faults, to see that an exploration finds them. */
export interface Faults {
  readonly words?: (memory: SharedArrayBuffer, port: Port) => SteppedSlabWords;
}

export interface SlabScenario {
  /** What each thread does; its number is its index. */
  readonly threads: readonly ((hand: Hand) => void)[];
  /** Leases of the slab at the start, by the thread that holds each: lease 0 first. None is a free slab. */
  readonly held?: readonly number[];
  /** Threads of which one may die; its leases are then reclaimed. */
  readonly mortal?: readonly number[];
  /** The thread to which others send. */
  readonly receiver?: number;
  readonly stores?: 'in-order' | 'delayed';
  readonly faults?: Faults;
  readonly situationsMax?: number;
}

export function exploreSlab(scenario: SlabScenario): Exploration {
  const memory = Arena.allocate([{ slabBytes: 4_096, slabs: 1 }]);
  const faults = scenario.faults ?? {};
  const mortal = scenario.mortal ?? [];
  prepare(memory, scenario.held ?? []);
  const threads = scenario.threads.map(
    (act, self): LogicalThread => ({
      name: `thread ${self}`,
      mortal: mortal.includes(self),
      run: (port) => act(new Hand(memory, port, self, faults)),
    }),
  );
  if (mortal.length > 0) {
    const self = threads.length;
    const receiver = scenario.receiver ?? mortal[0] ?? 0;
    threads.push({
      name: 'undertaker',
      run: (port) => new Hand(memory, port, self, faults).bury(mortal, receiver),
    });
  }
  return explore({
    memory,
    threads,
    deathsMax: mortal.length > 0 ? 1 : 0,
    stores: scenario.stores ?? 'in-order',
    isQuiet: () => false,
    situationsMax: scenario.situationsMax ?? 1_000_000,
    check: ({ ends }) => {
      const stuck = ends.findIndex((end) => end !== 'ended' && end !== 'dead');
      return stuck >= 0 ? `thread ${stuck} is ${ends[stuck]}` : checkFree(memory); // (S2)
    },
  });
}

/** Gives the leases of generation 1 to the threads that hold them at the start. */
function prepare(memory: SharedArrayBuffer, held: readonly number[]): void {
  if (held.length === 0) return;
  const layout = arenaLayoutOf(memory);
  const words = new SharedWords(memory, layout.dataOffset);
  const ofThread = (self: number): SlabLeases => new SlabLeases(words, layout, self);
  new Int32Array(memory, layout.dataOffset)[0] = 1;
  for (const [lease, thread] of held.entries()) {
    const slabs = ofThread(thread);
    const found = lease === 0 ? slabs.tryTake(slab, byteLength) - 1 : slabs.tryGrant(slab);
    if (found !== lease) throw new Error('a free slab has its leases in order');
  }
}

function checkFree(memory: SharedArrayBuffer): string | null {
  const layout = arenaLayoutOf(memory);
  const words = new SharedWords(memory, layout.dataOffset);
  const row = rowWord(layout, slab);
  for (let lease = 0; lease < leasesUsed; lease += 1) {
    const word = words.load(row + leasesField + lease);
    if (!isFree(word)) return `lease ${lease} stays taken`;
  }
  const bytes = new SlabLeases(words, layout, 0).liveBytes(slab);
  return bytes === null ? null : 'the slab stays live without a lease';
}
