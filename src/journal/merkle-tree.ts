/**
 * The Merkle tree of RFC 6962 (section 2.1; RFC 9162 keeps it): one root stands
 * for a list of leaves, and short proofs show that a leaf is in it, or that one
 * list continues another.
 *
 * Whoever makes a proof needs the hashes of ranges of leaves, and takes them
 * through a `RangeHash`, so that a tree of millions of leaves is never in memory.
 *
 * Invariants
 *   T1. Leaves and inner nodes are hashed with different first bytes, so that no
 *       node can be taken for a leaf.
 *   T2. A proof holds only if it is used up exactly: nothing is left over, and
 *       nothing is missing.
 *   T3. Sizes are safe integers; halves are taken by division, because the bit
 *       operators of the language end at 31 bits.
 */
import { hash } from 'node:crypto';
import { assert } from '../kernel/assert.ts';

/** Bytes of a hash. */
export const treeHashBytes = 32;

/** Root of a tree without leaves. */
export const emptyRoot: Buffer = hash('sha256', '', 'buffer');

const leafPrefix = Buffer.from([0]);
const nodePrefix = Buffer.from([1]);

/** Root of the leaves from index `start` up to `end`, at least one. */
export type RangeHash = (start: number, end: number) => Buffer;

/** Hash of a leaf with that content (T1). */
export function leafHash(content: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([leafPrefix, content]), 'buffer');
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return hash('sha256', Buffer.concat([nodePrefix, left, right]), 'buffer'); // (T1)
}

/** What a frontier is kept as between threads. */
export interface FrontierState {
  readonly size: number;
  /** Roots of the largest complete subtrees, from the left, one behind the other. */
  readonly hashes: Uint8Array;
}

/** The least that must be remembered of the leaves so far to add more: one hash for each bit of their number. */
export class Frontier {
  #size = 0;
  readonly #hashes: Buffer[] = [];

  /** Goes on from what `state` said. */
  static from({ size, hashes }: FrontierState): Frontier {
    const frontier = new Frontier();
    frontier.#size = size;
    for (let at = 0; at < hashes.length; at += treeHashBytes) {
      frontier.#hashes.push(Buffer.from(hashes.subarray(at, at + treeHashBytes)));
    }
    assert(frontier.#hashes.length === onesIn(size), 'a frontier has one hash for each bit');
    return frontier;
  }

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  get state(): FrontierState {
    return { size: this.#size, hashes: Buffer.concat(this.#hashes) };
  }

  /** Adds the hash of the next leaf. */
  push(leaf: Buffer): void {
    let hashed = leaf;
    for (let rest = this.#size; rest % 2 === 1; rest = half(rest)) {
      const left = this.#hashes.pop();
      assert(left !== undefined, 'each bit has a subtree');
      hashed = nodeHash(left, hashed);
    }
    this.#hashes.push(hashed);
    this.#size += 1;
  }

  root(): Buffer {
    let root = this.#hashes.at(-1);
    if (root === undefined) return emptyRoot;
    for (const left of this.#hashes.slice(0, -1).reverse()) root = nodeHash(left, root);
    return root;
  }
}

/** A `RangeHash` over leaves that are read one by one. */
export function rangeHash(leafAt: (index: number) => Buffer): RangeHash {
  return (start, end) => {
    const frontier = new Frontier();
    for (let index = start; index < end; index += 1) frontier.push(leafAt(index));
    return frontier.root();
  };
}

/**
 * Ranges that a frontier already has the roots of, and of all others those of `rest`.
 * With the frontier of the earlier tree a consistency proof reads only newer leaves.
 */
export function frontierRanges({ size, hashes }: FrontierState, rest: RangeHash): RangeHash {
  const known = new Map<string, Buffer>();
  let [start, at] = [0, 0];
  for (let power = 2 ** 52; power >= 1; power /= 2) {
    if (Math.floor(size / power) % 2 === 0) continue;
    known.set(`${start}-${start + power}`, Buffer.from(hashes.subarray(at, at + treeHashBytes)));
    [start, at] = [start + power, at + treeHashBytes];
  }
  return (from, to) => known.get(`${from}-${to}`) ?? rest(from, to);
}

/**
 * Shows that the leaf `index` is in the tree of the first `size` leaves
 * (RFC 6962, 2.1.1).
 * @param index From 0, below `size`.
 */
export function inclusionProof(index: number, size: number, range: RangeHash): Buffer[] {
  assert(index >= 0 && index < size, 'the leaf is in the tree');
  const path: Buffer[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + largestPowerBelow(end - start);
    if (index < middle) {
      path.push(range(middle, end));
      end = middle;
    } else {
      path.push(range(start, middle));
      start = middle;
    }
  }
  return path.reverse();
}

/**
 * Shows that the tree of the first `size` leaves continues the one of the first
 * `first` (RFC 6962, 2.1.2). Empty where `first` is 0 or all.
 */
export function consistencyProof(first: number, size: number, range: RangeHash): Buffer[] {
  assert(first >= 0 && first <= size, 'the earlier tree is not larger');
  if (first === 0 || first === size) return [];
  const path: Buffer[] = [];
  let [start, end] = [0, size];
  while (first !== end) {
    const middle = start + largestPowerBelow(end - start);
    if (first <= middle) {
      path.push(range(middle, end));
      end = middle;
    } else {
      path.push(range(start, middle));
      start = middle;
    }
  }
  // A subtree on the left edge is the earlier tree itself, whose root the verifier has.
  if (start > 0) path.push(range(start, end));
  return path.reverse();
}

interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: Buffer;
  readonly root: Buffer;
}

/** Whether the proof shows that the leaf is there (RFC 9162, 2.1.3.2). */
export function inclusionHolds(claim: Inclusion, proof: readonly Buffer[]): boolean {
  const { index, size, leaf, root } = claim;
  if (!isSize(size) || !isSize(index) || index >= size) return false;
  let [node, last, hashed] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false; // (T2)
    if (node % 2 === 1 || node === last) {
      hashed = nodeHash(sibling, hashed);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hashed = nodeHash(hashed, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && hashed.equals(root); // (T2)
}

interface Consistency {
  readonly first: number;
  readonly firstRoot: Buffer;
  readonly size: number;
  readonly root: Buffer;
}

/** Whether the proof shows that the second tree continues the first one (RFC 9162, 2.1.4.2). */
export function consistencyHolds(claim: Consistency, proof: readonly Buffer[]): boolean {
  const { first, firstRoot, size, root } = claim;
  if (!isSize(first) || !isSize(size) || first > size) return false;
  if (first === size) return proof.length === 0 && firstRoot.equals(root);
  if (first === 0) return proof.length === 0 && firstRoot.equals(emptyRoot);
  const path = isPowerOfTwo(first) ? [firstRoot, ...proof] : [...proof];
  const seed = path.shift();
  if (seed === undefined) return false; // (T2)
  let [node, last] = [first - 1, size - 1];
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  let [before, after] = [seed, seed];
  for (const sibling of path) {
    if (last === 0) return false; // (T2)
    if (node % 2 === 1 || node === last) {
      before = nodeHash(sibling, before);
      after = nodeHash(sibling, after);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      after = nodeHash(after, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && before.equals(firstRoot) && after.equals(root); // (T2)
}

/** (T3) */
function half(value: number): number {
  return Math.floor(value / 2);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isPowerOfTwo(value: number): boolean {
  return onesIn(value) === 1;
}

function onesIn(value: number): number {
  let ones = 0;
  for (let rest = value; rest > 0; rest = half(rest)) ones += rest % 2;
  return ones;
}

/** The largest power of two that is smaller than `count`, which is at least 2. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}
