/**
 * What many sleeping actors have in common: the shape of their state, and the
 * values in it on which two of them agreed. A snapshot is then the number of a
 * template and the values that are its own, and waking one calls a constructor
 * compiled from the template.
 *
 * A value's outline is its shape as text, with a dot for each leaf, and its
 * leaves in their order. An object with keys that are no names (other actors,
 * mostly) and a long array are leaves as a whole.
 *
 * Invariants
 *   T1. The compiled text holds names of properties and nothing else of an
 *       actor; constants are passed to it as values.
 *   T2. A constant was a value of two actors: what only one of them has, as a
 *       document, is in no template.
 *   T3. What actors share through a constant is frozen.
 */
import { assert } from '../kernel/assert.ts';
import type { Json } from '../kernel/json.ts';
import type { SnapshotNames } from './snapshot-names.ts';

const namePattern = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const arrayItemsMax = 16;
/** Keys of an outline that stand for a name of the actor. */
const selfKey = '~';
const parentKey = '^';
const textCharactersMax = 16_384;

export interface Outline {
  readonly shape: string;
  readonly leaves: readonly unknown[];
}

/** A name of the actor, as a constant: every actor has its own. */
interface Relative {
  readonly name: 'self' | 'parent' | 'run' | 'key';
  /** What follows, of a key. */
  readonly rest: string;
}

/** Null where each actor has its own value; else `[value]`, or a name. */
export type Constant = null | readonly [Json] | Relative;

export interface TemplateJson {
  readonly shape: string;
  readonly constants: readonly Constant[];
}

/** Makes the parts of a value from those leaves that are its own, or from all of them. */
export type Construct = (own: readonly unknown[], names: SnapshotNames) => unknown;

/** @param parts Values, outlined one after the other. */
export function outlineOf(parts: readonly unknown[], names: SnapshotNames): Outline {
  const leaves: unknown[] = [];
  let shape = '';
  const add = (value: unknown): void => {
    if (Array.isArray(value) && value.length <= arrayItemsMax) {
      shape += '[';
      for (const item of value) add(item);
      shape += ']';
      return;
    }
    const keys = value !== null && typeof value === 'object' ? keysOf(value, names) : null;
    if (keys === null) {
      shape += '.';
      leaves.push(value);
      return;
    }
    shape += '{';
    for (const [key, written] of keys) {
      shape += `${written}:`;
      add((value as Record<string, unknown>)[key]);
    }
    shape += '}';
  };
  for (const part of parts) add(part);
  return { shape, leaves };
}

/** Keys as an outline has them; null where one of them is no name. */
function keysOf(value: object, { id, parent }: SnapshotNames): [string, string][] | null {
  if (Array.isArray(value)) return null;
  const keys: [string, string][] = [];
  for (const key of Object.keys(value)) {
    if (key === parent) keys.push([key, parentKey]);
    else if (key === id) keys.push([key, selfKey]);
    else if (namePattern.test(key) && key !== '__proto__') keys.push([key, key]);
    else return null;
  }
  return keys;
}

/** A leaf as a constant; null where it can be none. */
function constantOf(leaf: unknown, names: SnapshotNames): Constant {
  if (typeof leaf === 'string') {
    if (leaf === names.id) return { name: 'self', rest: '' };
    if (leaf === names.parent) return { name: 'parent', rest: '' };
    if (leaf === names.run) return { name: 'run', rest: '' };
    if (leaf.startsWith(names.keys)) {
      return { name: 'key', rest: leaf.slice(names.keys.length) };
    }
    return leaf.length <= textCharactersMax ? [leaf] : null;
  }
  const isConstant = typeof leaf === 'number' || typeof leaf === 'boolean' || leaf === null;
  return isConstant ? [leaf] : null;
}

/** The leaves of an actor, to be compared with those of another one. */
export function constantsOf(leaves: readonly unknown[], names: SnapshotNames): Constant[] {
  return leaves.map((leaf) => constantOf(leaf, names));
}

function isEqual(left: Constant, right: Constant): boolean {
  if (left === null || right === null) return false;
  if ('name' in left)
    return 'name' in right && left.name === right.name && left.rest === right.rest;
  return !('name' in right) && left[0] === right[0];
}

/** What two actors agree on (T2). */
export function commonOf(left: readonly Constant[], right: readonly Constant[]): Constant[] {
  return left.map((constant, index) => (isEqual(constant, right[index] ?? null) ? constant : null));
}

/** About how many bytes of a snapshot a constant saves. */
function savedBytes(constant: Constant): number {
  if (constant === null) return 0;
  const [value] = 'name' in constant ? [constant.rest] : constant;
  return typeof value === 'string' ? 1 + value.length : 2;
}

/** About how many bytes a template with these constants saves. */
export function savedBytesOf(constants: readonly Constant[]): number {
  return constants.reduce((sum, constant) => sum + savedBytes(constant), 0);
}

type Node =
  | { readonly leaf: number }
  | { readonly items: readonly Node[] }
  | { readonly keys: readonly string[]; readonly values: readonly Node[] };

/** The parts of an outline as trees. */
function parse(shape: string): Node[] {
  let at = 0;
  let leaves = 0;
  const node = (): Node => {
    const character = shape[at];
    at += 1;
    if (character === '.') {
      leaves += 1;
      return { leaf: leaves - 1 };
    }
    if (character === '[') {
      const items: Node[] = [];
      while (shape[at] !== ']') items.push(node());
      at += 1;
      return { items };
    }
    assert(character === '{', 'a shape is well-formed');
    const keys: string[] = [];
    const values: Node[] = [];
    while (shape[at] !== '}') {
      const colon = shape.indexOf(':', at);
      assert(colon > 0, 'a shape is well-formed');
      keys.push(shape.slice(at, colon));
      at = colon + 1;
      values.push(node());
    }
    at += 1;
    return { keys, values };
  };
  const parts: Node[] = [];
  while (at < shape.length) parts.push(node());
  return parts;
}

function hasNames({ keys }: { readonly keys: readonly string[] }): boolean {
  return keys.includes(selfKey) || keys.includes(parentKey);
}

function leavesIn(node: Node): number {
  if ('leaf' in node) return 1;
  const inner = 'items' in node ? node.items : node.values;
  return inner.reduce((sum, each) => sum + leavesIn(each), 0);
}

/**
 * An object whose keys are names of actors. As each has other keys, no two would
 * have a hidden class in common, and a literal would make one for each actor.
 */
function dictionary(keys: readonly string[], values: readonly unknown[]): object {
  const object: Record<string, unknown> = Object.create(null);
  keys.forEach((key, index) => {
    object[key] = values[index];
  });
  return object;
}

function keyText(key: string): string {
  if (key === selfKey) return 'n.id';
  if (key === parentKey) return 'n.parent';
  assert(namePattern.test(key), 'a key of a template is a name (T1)');
  return JSON.stringify(key);
}

function freeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}

export class SnapshotTemplate {
  readonly json: TemplateJson;
  /** Bytes that its constants save in a snapshot that has them all. */
  readonly savesBytes: number;
  /** Indexes of the leaves of which each actor has its own. */
  readonly own: readonly number[];
  /** How many of them are in the first part. */
  readonly ownOfFirst: number;
  /** From the leaves of its own; one for each part. */
  readonly fromOwn: readonly Construct[];
  readonly #fromAll: (Construct | null)[];
  readonly #nodes: readonly Node[];

  constructor(json: TemplateJson) {
    this.json = json;
    this.savesBytes = savedBytesOf(json.constants);
    this.own = json.constants.flatMap((constant, index) => (constant === null ? [index] : []));
    this.#nodes = parse(json.shape);
    const [first] = this.#nodes;
    assert(first !== undefined, 'a template has a part');
    const leavesOfFirst = leavesIn(first);
    this.ownOfFirst = this.own.filter((leaf) => leaf < leavesOfFirst).length;
    this.#fromAll = this.#nodes.map(() => null);
    this.fromOwn = this.#nodes.map((node) => this.#compileOwn(node));
  }

  /** Makes one part from all leaves, those too that differ from a constant. */
  fromAll(part: number): Construct {
    const known = this.#fromAll[part] ?? null;
    if (known !== null) return known;
    const node = this.#nodes[part];
    assert(node !== undefined, 'a template has its parts');
    const compiled = compile(node, (leaf) => `h[${leaf}]`, []);
    this.#fromAll[part] = compiled;
    return compiled;
  }

  /** Whether a leaf of this actor is what the template says. */
  has(index: number, leaf: unknown, names: SnapshotNames): boolean {
    const constant = this.json.constants[index] ?? null;
    if (constant === null) return false;
    if (!('name' in constant)) return Object.is(constant[0], leaf);
    return leaf === nameOf(constant, names);
  }

  /** The constant at this leaf. */
  constant(index: number, names: SnapshotNames): unknown {
    const constant = this.json.constants[index] ?? null;
    assert(constant !== null, 'a constant');
    return 'name' in constant ? nameOf(constant, names) : constant[0];
  }

  /** Bytes that are lost where this actor differs; stops above `enough`. */
  differenceBytes(leaves: readonly unknown[], names: SnapshotNames, enough: number): number {
    let bytes = 0;
    for (let index = 0; index < leaves.length && bytes <= enough; index += 1) {
      const constant = this.json.constants[index] ?? null;
      if (constant === null || this.has(index, leaves[index], names)) continue;
      const leaf = leaves[index];
      bytes += typeof leaf === 'string' ? 1 + leaf.length : 2;
    }
    return bytes;
  }

  #compileOwn(root: Node): Construct {
    const constants: unknown[] = [];
    const own = new Map(this.own.map((leaf, index) => [leaf, index]));
    const fixed = (value: unknown) => `c[${constants.push(value) - 1}]`;
    const text = (leaf: number): string => {
      const index = own.get(leaf);
      if (index !== undefined) return `h[${index}]`;
      const constant = this.json.constants[leaf] ?? null;
      assert(constant !== null, 'a constant');
      if (!('name' in constant)) return fixed(constant[0]);
      if (constant.name === 'key') return `n.keys + ${fixed(constant.rest)}`;
      return constant.name === 'self' ? 'n.id' : `n.${constant.name}`;
    };
    return compile(root, text, constants, (node) => {
      const value = this.#fixedValue(node);
      return value === undefined ? null : fixed(freeze(value)); // (T3)
    });
  }

  /** The value of a node whose leaves are plain constants; undefined where one is not. */
  #fixedValue(node: Node): unknown {
    if ('leaf' in node) {
      const constant = this.json.constants[node.leaf] ?? null;
      return constant === null || 'name' in constant ? undefined : constant[0];
    }
    const inner = 'items' in node ? node.items : node.values;
    const values = inner.map((each) => this.#fixedValue(each));
    if (values.includes(undefined)) return undefined;
    if ('items' in node) return values;
    if (hasNames(node)) return undefined;
    return Object.fromEntries(node.keys.map((key, index) => [key, values[index]]));
  }
}

function nameOf({ name, rest }: Relative, names: SnapshotNames): string {
  switch (name) {
    case 'self':
      return names.id;
    case 'parent':
      return names.parent;
    case 'run':
      return names.run;
    case 'key':
      return names.keys + rest;
  }
}

/**
 * @param leafText The expression of a leaf.
 * @param whole The expression of a whole node, or null where it has none.
 */
function compile(
  root: Node,
  leafText: (leaf: number) => string,
  constants: readonly unknown[],
  whole: (node: Node) => string | null = () => null,
): Construct {
  const text = (node: Node): string => {
    if ('leaf' in node) return leafText(node.leaf);
    const known = whole(node);
    if (known !== null) return known;
    if ('items' in node) return `[${node.items.map(text).join(',')}]`;
    const keys = node.keys.map(keyText);
    const values = node.values.map(text);
    if (hasNames(node)) return `d([${keys.join(',')}],[${values.join(',')}])`;
    return `{${keys.map((key, index) => `${key}:${values[index]}`).join(',')}}`;
  };
  const make = new Function('c', 'd', `return (h, n) => (${text(root)});`);
  return make(constants, dictionary) as Construct;
}
