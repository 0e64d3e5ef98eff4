/** Against a naive reading of RFC 6962, and the vectors of its first implementation. */
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consistencyHolds,
  consistencyProof,
  emptyRoot,
  Frontier,
  frontierRanges,
  inclusionHolds,
  inclusionProof,
  leafHash,
  rangeHash,
} from '../../src/journal/merkle-tree.ts';

/** MTH of section 2.1, as it is written there. */
function naiveRoot(contents: readonly Buffer[]): Buffer {
  if (contents.length === 0) return hash('sha256', '', 'buffer');
  const [first] = contents;
  if (contents.length === 1 && first !== undefined) {
    return hash('sha256', Buffer.concat([Buffer.from([0]), first]), 'buffer');
  }
  let power = 1;
  while (power * 2 < contents.length) power *= 2;
  const halves = [naiveRoot(contents.slice(0, power)), naiveRoot(contents.slice(power))];
  return hash('sha256', Buffer.concat([Buffer.from([1]), ...halves]), 'buffer');
}

/** SUBPROOF of section 2.1.2. */
function naiveSubproof(first: number, contents: readonly Buffer[], whole: boolean): Buffer[] {
  if (first === contents.length) return whole ? [] : [naiveRoot(contents)];
  let power = 1;
  while (power * 2 < contents.length) power *= 2;
  const [left, right] = [contents.slice(0, power), contents.slice(power)];
  return first <= power
    ? [...naiveSubproof(first, left, whole), naiveRoot(right)]
    : [...naiveSubproof(first - power, right, false), naiveRoot(left)];
}

function contentsOf(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => Buffer.from(`leaf ${index}`));
}

function treeOf(contents: readonly Buffer[]) {
  const leaves = contents.map(leafHash);
  const range = rangeHash((index) => leaves[index] ?? Buffer.alloc(0));
  const root = (size: number) => (size === 0 ? emptyRoot : range(0, size));
  return { leaves, range, root };
}

/** A copy with one bit changed, in one of its nodes. */
function flipped(proof: readonly Buffer[], at: number, bit: number): Buffer[] {
  return proof.map((node, index) => {
    const copy = Buffer.from(node);
    if (index === at % proof.length) copy[bit % 32] = (copy[bit % 32] ?? 0) ^ (1 << (bit % 8));
    return copy;
  });
}

const vectors = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657'].concat(
  '606162636465666768696a6b6c6d6e6f',
);
const vectorRoots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

describe('the tree', () => {
  test('has the roots of the known vectors', () => {
    const frontier = new Frontier();
    expect(frontier.root().toString('hex')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    const roots = vectors.map((text) => {
      frontier.push(leafHash(Buffer.from(text, 'hex')));
      return frontier.root().toString('hex');
    });
    expect(roots).toEqual(vectorRoots);
  });

  test('has the root that the definition gives, also when its frontier was carried elsewhere', () => {
    const sizes = fc.nat({ max: 70 });
    fc.assert(
      fc.property(sizes, sizes, (size, cut) => {
        const contents = contentsOf(size);
        let frontier = new Frontier();
        for (const [index, content] of contents.entries()) {
          if (index === cut) frontier = Frontier.from(structuredClone(frontier.state));
          frontier.push(leafHash(content));
        }
        expect(frontier.size).toBe(size);
        expect(frontier.root()).toEqual(naiveRoot(contents));
      }),
    );
  });
});

describe('an inclusion proof', () => {
  test('of every leaf of every small tree holds, and of no other leaf, size or root', () => {
    for (let size = 1; size <= 33; size += 1) {
      const { leaves, range, root } = treeOf(contentsOf(size));
      for (let index = 0; index < size; index += 1) {
        const proof = inclusionProof(index, size, range);
        const leaf = leaves[index] ?? Buffer.alloc(0);
        const claim = { index, size, leaf, root: root(size) };
        expect(inclusionHolds(claim, proof)).toBe(true);
        expect(inclusionHolds({ ...claim, index: index + 1 }, proof)).toBe(false);
        expect(inclusionHolds({ ...claim, leaf: leafHash(Buffer.from('x')) }, proof)).toBe(false);
        expect(inclusionHolds({ ...claim, root: leaf }, proof)).toBe(size === 1);
        expect(inclusionHolds(claim, [...proof, root(size)])).toBe(false);
        if (proof.length > 0) expect(inclusionHolds(claim, proof.slice(0, -1))).toBe(false);
      }
    }
  });

  test('stops holding when any of its bits changes', () => {
    const places = fc.record({
      size: fc.integer({ min: 2, max: 64 }),
      at: fc.nat(),
      bit: fc.nat(),
    });
    fc.assert(
      fc.property(places, ({ size, at, bit }) => {
        const { leaves, range, root } = treeOf(contentsOf(size));
        const index = at % size;
        const proof = inclusionProof(index, size, range);
        const leaf = leaves[index] ?? Buffer.alloc(0);
        const claim = { index, size, leaf, root: root(size) };
        expect(inclusionHolds(claim, flipped(proof, at, bit))).toBe(false);
      }),
    );
  });
});

describe('a consistency proof', () => {
  test('between all small sizes is the one of the definition, and holds', () => {
    for (let size = 0; size <= 33; size += 1) {
      const contents = contentsOf(size);
      const { range, root } = treeOf(contents);
      for (let first = 0; first <= size; first += 1) {
        const proof = consistencyProof(first, size, range);
        if (first > 0) expect(proof).toEqual(naiveSubproof(first, contents, true));
        const claim = { first, firstRoot: root(first), size, root: root(size) };
        expect(consistencyHolds(claim, proof)).toBe(true);
        expect(consistencyHolds(claim, [...proof, root(size)])).toBe(false);
        if (proof.length > 0) expect(consistencyHolds(claim, proof.slice(0, -1))).toBe(false);
      }
    }
  });

  test('reads only new leaves where the frontier of the earlier tree is known', () => {
    for (let size = 1; size <= 40; size += 1) {
      const { leaves, range, root } = treeOf(contentsOf(size));
      for (let first = 1; first <= size; first += 1) {
        const frontier = new Frontier();
        for (const leaf of leaves.slice(0, first)) frontier.push(leaf);
        const fresh: typeof range = (start, end) => {
          expect(start).toBeGreaterThanOrEqual(first);
          return range(start, end);
        };
        const proof = consistencyProof(first, size, frontierRanges(frontier.state, fresh));
        const claim = { first, firstRoot: root(first), size, root: root(size) };
        expect(consistencyHolds(claim, proof)).toBe(true);
      }
    }
  });

  test('does not exist for a tree whose past is another', () => {
    const cases = fc.record({
      size: fc.integer({ min: 1, max: 64 }),
      first: fc.nat(),
      changed: fc.nat(),
    });
    fc.assert(
      fc.property(cases, ({ size, first: asked, changed }) => {
        const first = 1 + (asked % size);
        const truth = contentsOf(size);
        const forged = truth.with(changed % first, Buffer.from('forged'));
        const [told, made] = [treeOf(truth), treeOf(forged)];
        const claim = { first, firstRoot: told.root(first), size, root: made.root(size) };
        for (const { range } of [told, made]) {
          expect(consistencyHolds(claim, consistencyProof(first, size, range))).toBe(false);
        }
      }),
    );
  });

  test('stops holding when any of its bits or sizes changes', () => {
    const cases = fc.record({
      size: fc.integer({ min: 3, max: 64 }),
      first: fc.nat(),
      at: fc.nat(),
      bit: fc.nat(),
    });
    fc.assert(
      fc.property(cases, ({ size, first: asked, at, bit }) => {
        const first = 1 + (asked % (size - 1));
        const { range, root } = treeOf(contentsOf(size));
        const claim = { first, firstRoot: root(first), size, root: root(size) };
        const proof = consistencyProof(first, size, range);
        expect(consistencyHolds({ ...claim, first: size, size: first }, proof)).toBe(false);
        expect(consistencyHolds({ ...claim, firstRoot: root(size) }, proof)).toBe(false);
        // Of four times the leaves the path to the root is longer.
        expect(consistencyHolds({ ...claim, size: size * 4 }, proof)).toBe(false);
        expect(consistencyHolds(claim, flipped(proof, at, bit))).toBe(false);
      }),
    );
  });

  test('with nothing before needs no proof, and with all of it equal roots', () => {
    const { root } = treeOf(contentsOf(5));
    const whole = { first: 5, firstRoot: root(5), size: 5, root: root(5) };
    expect(consistencyHolds(whole, [])).toBe(true);
    expect(consistencyHolds({ ...whole, firstRoot: root(4) }, [])).toBe(false);
    const nothing = { first: 0, firstRoot: emptyRoot, size: 5, root: root(5) };
    expect(consistencyHolds(nothing, [])).toBe(true);
    expect(consistencyHolds({ ...nothing, firstRoot: root(1) }, [])).toBe(false);
    expect(consistencyHolds({ ...nothing, size: -1 }, [])).toBe(false);
  });
});
