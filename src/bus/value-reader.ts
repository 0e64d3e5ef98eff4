/**
 * Reads values from bytes that may be hostile.
 *
 * Invariants
 *   A1. No byte outside the message is part of a value: a value begins before
 *       the end, a length is compared with what is left before anything is
 *       made of it, and a message ends exactly where its value does.
 *   A2. A value shares no memory with the bytes.
 *   A3. Whatever the bytes are, reading them takes time and memory in
 *       proportion to their number, and nests at most `limits.valueDepthMax`.
 *   A4. A key is an own property, whatever its name.
 */
import { limits } from '../kernel/limits.ts';
import { corruptFrame } from './corrupt-frame.ts';
import { KnownShapes, type ShapeBytes } from './known-shapes.ts';
import { RepeatedText, repeatedLongMin, repeatedShortMax } from './repeated-text.ts';
import {
  elementArrays,
  shapeAlignment,
  shapeHashOffset,
  shapeKeysOffset,
  shapeLengthOffset,
  shortTextMax,
  smallIntegerMax,
  tags,
} from './value-descriptor.ts';

const nothing = Buffer.alloc(0);
const hexadecimal = /^[0-9a-f]+$/;

export interface ValueReaderOptions {
  /**
   * Whether frequent shapes get a constructor of their own, which is code made
   * at run time from their names. Not for bytes of another process.
   */
  readonly constructors: boolean;
}

export class ValueReader {
  readonly #shapes: KnownShapes;
  readonly #texts = new RepeatedText();
  /** The memory that was read last, and a view of all of it. */
  #source: ShapeBytes = { bytes: nothing, view: new DataView(new ArrayBuffer(0)) };
  #at = 0;
  #end = 0;
  #depth = 0;

  constructor({ constructors }: ValueReaderOptions) {
    this.#shapes = new KnownShapes(constructors ? () => this.#value() : null);
  }

  /**
   * The one value that lies from `start` to `end`.
   * @throws RuntimeError BUS_FRAME_CORRUPT
   */
  read(bytes: Buffer, start: number, end: number): unknown {
    if (this.#source.bytes !== bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      this.#source = { bytes, view };
    }
    this.#at = start;
    this.#end = end;
    this.#depth = 0;
    const value = this.#value();
    if (this.#at !== end) throw corruptFrame('a value of another length than its body'); // (A1)
    return value;
  }

  #value(): unknown {
    if (this.#at >= this.#end) throw corruptFrame('a value that is cut'); // (A1)
    const tag = this.#source.bytes[this.#at] ?? 0;
    this.#at += 1;
    if (tag >= tags.smallInteger) return tag & smallIntegerMax;
    if (tag >= tags.shortText) return this.#shortText(tag & shortTextMax);
    switch (tag) {
      case tags.null:
        return null;
      case tags.undefined:
        return undefined;
      case tags.false:
        return false;
      case tags.true:
        return true;
      case tags.int32:
        return this.#source.view.getInt32(this.#take(4), true);
      case tags.float64:
        return this.#source.view.getFloat64(this.#take(8), true);
      case tags.record:
        return this.#record();
      case tags.array:
        return this.#array();
      case tags.ascii:
        return this.#asciiText();
      default:
        return this.#rareValue(tag);
    }
  }

  #rareValue(tag: number): unknown {
    switch (tag) {
      case tags.utf8:
        return this.#textOf('utf8');
      case tags.utf16:
        return this.#textOf('utf16le');
      case tags.map:
        return this.#map();
      case tags.bytes:
        return this.#bytesOf(this.#length());
      case tags.elements:
        return this.#elements();
      case tags.date:
        return new Date(this.#source.view.getFloat64(this.#take(8), true));
      case tags.bigInteger:
        return this.#bigInteger();
      default:
        throw corruptFrame('a value of an unknown kind');
    }
  }

  /** Moves behind the next bytes of the message and answers where they begin (A1). */
  #take(lengthBytes: number): number {
    const start = this.#at;
    if (lengthBytes > this.#end - start) throw corruptFrame('a value that is cut');
    this.#at = start + lengthBytes;
    return start;
  }

  /** A length or a count, not checked yet: whatever is taken next is (A1). */
  #length(): number {
    return this.#source.view.getUint32(this.#take(4), true);
  }

  #shortText(length: number): string {
    const { bytes, view } = this.#source;
    const start = this.#take(length);
    if (length > repeatedShortMax) return bytes.toString('latin1', start, start + length);
    return this.#texts.short(bytes, view, start, length);
  }

  #asciiText(): string {
    const { bytes, view } = this.#source;
    const length = this.#length();
    const start = this.#take(length);
    if (length < repeatedLongMin) return bytes.toString('latin1', start, start + length);
    return this.#texts.long(bytes, view, start, length);
  }

  #textOf(encoding: 'utf8' | 'utf16le'): string {
    const start = this.#take(this.#length());
    return this.#source.bytes.toString(encoding, start, this.#at);
  }

  #array(): unknown[] {
    const count = this.#length();
    this.#enter();
    const values: unknown[] = [];
    for (let index = 0; index < count; index += 1) values.push(this.#value());
    this.#depth -= 1;
    return values;
  }

  #record(): object {
    const { bytes, view } = this.#source;
    const start = this.#take(shapeKeysOffset);
    const lengthBytes = view.getUint16(start + shapeLengthOffset, true);
    if (lengthBytes % shapeAlignment !== 0) throw corruptFrame('keys that are not padded');
    const hash = view.getInt32(start + shapeHashOffset, true);
    const keysAt = this.#take(lengthBytes);
    const shape = this.#shapes.at(this.#source, keysAt, lengthBytes, bytes[start] ?? 0, hash);
    this.#enter();
    let object: object;
    if (shape.construct !== null) {
      object = shape.construct();
    } else {
      const record: Record<string, unknown> = {};
      // Keys of a shape are names, and none of them is `__proto__` (A4).
      for (const key of shape.keys) record[key] = this.#value();
      object = record;
    }
    this.#depth -= 1;
    return object;
  }

  #map(): object {
    const count = this.#length();
    this.#enter();
    const object: Record<string, unknown> = {};
    for (let index = 0; index < count; index += 1) {
      const key = this.#value();
      if (typeof key !== 'string') throw corruptFrame('a key that is no text');
      const value = this.#value();
      if (key === '__proto__') setOwn(object, key, value);
      else object[key] = value;
    }
    this.#depth -= 1;
    return object;
  }

  #enter(): void {
    this.#depth += 1;
    if (this.#depth > limits.valueDepthMax) throw corruptFrame('values nested too deep'); // (A3)
  }

  #bytesOf(lengthBytes: number): Uint8Array<ArrayBuffer> {
    const start = this.#take(lengthBytes);
    const copy = new Uint8Array(lengthBytes); // (A2)
    this.#source.bytes.copy(copy, 0, start, start + lengthBytes);
    return copy;
  }

  #elements(): ArrayBufferView {
    const type = elementArrays[this.#source.bytes[this.#take(1)] ?? elementArrays.length];
    if (type === undefined) throw corruptFrame('elements of an unknown type');
    const lengthBytes = this.#length();
    if (lengthBytes % type.BYTES_PER_ELEMENT !== 0) throw corruptFrame('a part of an element');
    return new type(this.#bytesOf(lengthBytes).buffer);
  }

  #bigInteger(): bigint {
    const { bytes } = this.#source;
    const sign = bytes[this.#take(1)] ?? 0;
    const start = this.#take(this.#length());
    const digits = bytes.toString('latin1', start, this.#at);
    if (sign > 1 || !hexadecimal.test(digits)) throw corruptFrame('a malformed big integer');
    const magnitude = BigInt(`0x${digits}`);
    return sign === 1 ? -magnitude : magnitude;
  }
}

function setOwn(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
