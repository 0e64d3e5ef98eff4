/**
 * The shapes that a reader has met, so that the keys of an object are compared
 * and not decoded. A shape that comes often gets a constructor of its own: an
 * object literal with its keys, which the engine makes into one allocation.
 *
 * Invariants
 *   K1. A shape is known again by all of its bytes; a wrong hash finds nothing.
 *   K2. A constructor is built from names alone (`isShapeKey`), so no text
 *       from outside becomes code.
 *   K3. There are `slots` shapes at most; a newer one takes the place of an
 *       older. Nothing but time depends on what it holds.
 */
import { corruptFrame } from './corrupt-frame.ts';
import { isShapeKey, shapeKeysMax } from './value-descriptor.ts';

/** A power of two. */
const slots = 512;
/** A shape gets its constructor when it comes for this time. */
const constructAfter = 16;

export interface Shape {
  readonly keys: readonly string[];
  /** Reads one value for each key and returns the object; null as long as the shape is rare. */
  construct: (() => object) | null;
  readonly bytes: DataView;
  uses: number;
}

export interface ShapeBytes {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export class KnownShapes {
  readonly #shapes: (Shape | null)[] = new Array<Shape | null>(slots).fill(null);
  readonly #readValue: (() => unknown) | null;

  /**
   * @param readValue Reads the next value, for constructors; null to build
   *   none, for readers of hostile bytes.
   */
  constructor(readValue: (() => unknown) | null) {
    this.#readValue = readValue;
  }

  /**
   * The shape whose keys are the `lengthBytes` at `offset`. The caller has
   * checked that they lie inside the message.
   * @throws RuntimeError BUS_FRAME_CORRUPT
   */
  at(source: ShapeBytes, offset: number, lengthBytes: number, count: number, hash: number): Shape {
    const slot = hash & (slots - 1);
    const known = this.#shapes[slot];
    if (
      known &&
      known.keys.length === count &&
      isEqual(known.bytes, source.view, offset, lengthBytes)
    ) {
      if (known.construct === null) this.#use(known);
      return known; // (K1)
    }
    const shape: Shape = {
      keys: parseKeys(source.bytes, offset, lengthBytes, count),
      construct: null,
      bytes: copyOf(source.bytes, offset, lengthBytes),
      uses: 0,
    };
    this.#shapes[slot] = shape; // (K3)
    return shape;
  }

  #use(shape: Shape): void {
    shape.uses += 1;
    if (shape.uses !== constructAfter || this.#readValue === null) return;
    const body = shape.keys.map((key) => `${key}: read()`).join(', '); // (K2)
    try {
      const factory = new Function('read', `return () => ({ ${body} });`);
      shape.construct = factory(this.#readValue) as () => object;
    } catch {
      // An embedder may forbid code from text; the shape goes on without.
    }
  }
}

function isEqual(known: DataView, view: DataView, offset: number, lengthBytes: number): boolean {
  if (known.byteLength !== lengthBytes) return false;
  for (let index = 0; index < lengthBytes; index += 4) {
    if (known.getInt32(index) !== view.getInt32(offset + index)) return false;
  }
  return true;
}

function copyOf(bytes: Buffer, offset: number, lengthBytes: number): DataView {
  const copy = new Uint8Array(lengthBytes);
  bytes.copy(copy, 0, offset, offset + lengthBytes);
  return new DataView(copy.buffer);
}

function parseKeys(bytes: Buffer, offset: number, lengthBytes: number, count: number): string[] {
  if (count > shapeKeysMax) throw corruptFrame('an object of too many keys');
  const end = offset + lengthBytes;
  const keys = new Set<string>();
  let at = offset;
  for (let index = 0; index < count; index += 1) {
    const start = at + 1;
    at = start + (bytes[at] ?? 0);
    if (at > end) throw corruptFrame('a key longer than its bytes');
    const key = bytes.toString('latin1', start, at);
    if (!isShapeKey(key)) throw corruptFrame('a key that is no name');
    keys.add(key);
  }
  if (keys.size !== count) throw corruptFrame('a key twice');
  if (end - at > 3) throw corruptFrame('keys that are shorter than their bytes');
  while (at < end) {
    if (bytes[at] !== 0) throw corruptFrame('bytes where no key belongs');
    at += 1;
  }
  return [...keys];
}
