/**
 * The shapes that a writer has met, so that the keys of an object cost one
 * copy. A tree of keys in their order: an object is looked up by walking it,
 * which compares pointers and no characters.
 *
 * Invariants
 *   S1. It holds at most `limits.recordShapeKeysMax` keys; then it forgets all
 *       and begins anew. Nothing but time depends on what it holds.
 */
import { limits } from '../kernel/limits.ts';
import {
  isShapeKey,
  shapeAlignment,
  shapeHashOffset,
  shapeKeysMax,
  shapeKeysOffset,
  shapeLengthOffset,
  tags,
} from './value-descriptor.ts';

/** A key behind the keys above it. */
class ShapeNode {
  readonly key: string;
  readonly above: ShapeNode | null;
  readonly depth: number;
  /** The key that followed last: mostly the one that follows next. */
  last: ShapeNode | null = null;
  /** Tag and shape of an object whose last key this is, as Latin-1; made when first needed. */
  head: string | null = null;
  readonly following = new Map<string, ShapeNode>();

  constructor(key: string, above: ShapeNode | null) {
    this.key = key;
    this.above = above;
    this.depth = above === null ? 0 : above.depth + 1;
  }
}

export class RecordShapes {
  #root = new ShapeNode('', null);
  #keys = 0;

  /** Tag and shape of an object, as Latin-1; null when it has to be a map. */
  headOf(object: object): string | null {
    let node = this.#root;
    for (const key in object) {
      const { last } = node;
      if (last !== null && last.key === key) {
        node = last;
      } else {
        const next = node.following.get(key) ?? this.#tryAdd(node, key);
        if (next === null) return null;
        node.last = next;
        node = next;
      }
    }
    node.head ??= headOfKeys(keysTo(node));
    return node.head;
  }

  #tryAdd(above: ShapeNode, key: string): ShapeNode | null {
    if (above.depth === shapeKeysMax || !isShapeKey(key)) return null;
    if (this.#keys === limits.recordShapeKeysMax) {
      // (S1) The walk goes on in the old tree, which nobody keeps.
      this.#root = new ShapeNode('', null);
      this.#keys = 0;
    }
    const node = new ShapeNode(key, above);
    above.following.set(key, node);
    this.#keys += 1;
    return node;
  }
}

function keysTo(node: ShapeNode): string[] {
  const keys: string[] = [];
  for (let at = node; at.above !== null; at = at.above) keys.push(at.key);
  return keys.reverse();
}

function headOfKeys(keys: readonly string[]): string {
  const text = keys.map((key) => String.fromCharCode(key.length) + key).join('');
  const lengthBytes = Math.ceil(text.length / shapeAlignment) * shapeAlignment;
  const head = Buffer.alloc(1 + shapeKeysOffset + lengthBytes);
  head[0] = tags.record;
  head[1] = keys.length;
  head.writeUInt16LE(lengthBytes, 1 + shapeLengthOffset);
  head.writeUInt32LE(hashOf(text), 1 + shapeHashOffset);
  head.write(text, 1 + shapeKeysOffset, 'latin1');
  return head.toString('latin1');
}

/** Fowler-Noll-Vo, 32 bits: it only spreads shapes over a table. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
