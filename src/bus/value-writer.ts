/**
 * Writes values into memory of its own, one after the other, each over the one
 * before.
 *
 * Invariants
 *   V1. A value is written whole or not at all: what has no form, or nests too
 *       deep, is an error before anybody sees a byte.
 *   V2. Every write is preceded by a look for room; a text is given the most
 *       that it can take.
 *   V3. No message refers to another one.
 */
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { RecordShapes } from './record-shapes.ts';
import { elementArrays, shortTextMax, smallIntegerMax, tags } from './value-descriptor.ts';

const initialBytes = 64 * 1024;
/** Up to this length a loop over characters is faster than a call into the engine. */
const loopCharactersMax = 12;
/** Bytes of tag and length in front of a text or an array. */
const headBytes = 5;
/** Most bytes that one character of a text takes, in any form. */
const characterBytesMax = 3;

function unsupported(what: string): RuntimeError {
  return new RuntimeError('BUS_BODY_UNSUPPORTED', `A message body has ${what}.`);
}

export class ValueWriter {
  readonly #shapes = new RecordShapes();
  #bytes = Buffer.from(new ArrayBuffer(initialBytes));
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #depth = 0;

  /**
   * Writes the value and returns how many bytes it takes; they are at the begin
   * of `bytes` until the next call.
   * @throws RuntimeError BUS_BODY_UNSUPPORTED, BUS_MESSAGE_TOO_LARGE
   */
  write(value: unknown): number {
    if (this.#bytes.length > limits.valueScratchBytesMax) this.#allocate(initialBytes);
    this.#at = 0;
    this.#depth = 0;
    this.#value(value); // (V1)
    return this.#at;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.#text(value);
        return;
      case 'number':
        this.#number(value);
        return;
      case 'boolean':
        this.#tag(value ? tags.true : tags.false);
        return;
      case 'undefined':
        this.#tag(tags.undefined);
        return;
      case 'bigint':
        this.#bigInteger(value);
        return;
      case 'object':
        if (value === null) this.#tag(tags.null);
        else this.#object(value);
        return;
      default:
        throw unsupported(`a ${typeof value}, which has no form on the bus`);
    }
  }

  #tag(tag: number): void {
    this.#makeRoom(1);
    this.#bytes[this.#at] = tag;
    this.#at += 1;
  }

  #number(value: number): void {
    this.#makeRoom(9);
    const at = this.#at;
    // Negative zero is equal to zero and only its reciprocal tells it.
    const whole = (value | 0) === value && (value !== 0 || 1 / value > 0);
    if (whole && value >= 0 && value <= smallIntegerMax) {
      this.#bytes[at] = tags.smallInteger | value;
      this.#at = at + 1;
    } else if (whole) {
      this.#bytes[at] = tags.int32;
      this.#view.setInt32(at + 1, value, true);
      this.#at = at + 5;
    } else {
      this.#bytes[at] = tags.float64;
      this.#view.setFloat64(at + 1, value, true);
      this.#at = at + 9;
    }
  }

  #text(text: string): void {
    const { length } = text;
    this.#makeRoom(headBytes + length * characterBytesMax); // (V2)
    if (length > shortTextMax || !this.#tryShortText(text)) this.#longText(text);
  }

  /** False, and nothing written, for a text that is not ASCII. */
  #tryShortText(text: string): boolean {
    const { length } = text;
    const bytes = this.#bytes;
    const start = this.#at + 1;
    if (length <= loopCharactersMax) {
      for (let index = 0; index < length; index += 1) {
        const code = text.charCodeAt(index);
        if (code > 0x7f) return false;
        bytes[start + index] = code;
      }
    } else if (bytes.write(text, start, 'utf8') !== length) {
      return false; // Only ASCII takes as many bytes as it has characters.
    }
    bytes[this.#at] = tags.shortText | length;
    this.#at = start + length;
    return true;
  }

  #longText(text: string): void {
    const start = this.#at + headBytes;
    const written = this.#bytes.write(text, start, 'utf8');
    if (written === text.length) this.#head(tags.ascii, written);
    else if (text.isWellFormed()) this.#head(tags.utf8, written);
    else this.#head(tags.utf16, this.#bytes.write(text, start, 'utf16le'));
    this.#at = start + this.#view.getUint32(this.#at + 1, true);
  }

  /** Writes tag and length at the current place and stays there. */
  #head(tag: number, length: number): void {
    this.#bytes[this.#at] = tag;
    this.#view.setUint32(this.#at + 1, length, true);
  }

  #bigInteger(value: bigint): void {
    const digits = (value < 0n ? -value : value).toString(16);
    this.#makeRoom(1 + headBytes + digits.length);
    this.#bytes[this.#at] = tags.bigInteger;
    this.#bytes[this.#at + 1] = value < 0n ? 1 : 0;
    this.#view.setUint32(this.#at + 2, digits.length, true);
    this.#at += 1 + headBytes;
    this.#at += this.#bytes.write(digits, this.#at, 'latin1');
  }

  #object(value: object): void {
    this.#depth += 1;
    if (this.#depth > limits.valueDepthMax)
      throw unsupported('values nested too deep, or in a circle');
    if (Array.isArray(value)) this.#array(value);
    else {
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype === Object.prototype || prototype === null) this.#plainObject(value);
      else this.#otherObject(value);
    }
    this.#depth -= 1;
  }

  #array(values: readonly unknown[]): void {
    const { length } = values;
    this.#makeRoom(headBytes);
    this.#head(tags.array, length);
    this.#at += headBytes;
    for (let index = 0; index < length; index += 1) this.#value(values[index]);
  }

  #plainObject(object: object): void {
    const head = this.#shapes.headOf(object); // (V3)
    if (head === null) {
      this.#map(object);
      return;
    }
    this.#makeRoom(head.length);
    this.#at += this.#bytes.write(head, this.#at, 'latin1');
    // The engine reads properties fast by the key of this very loop.
    for (const key in object) this.#value((object as Record<string, unknown>)[key]);
  }

  #map(object: object): void {
    const entries = Object.entries(object);
    this.#makeRoom(headBytes);
    this.#head(tags.map, entries.length);
    this.#at += headBytes;
    for (const [key, value] of entries) {
      this.#text(key);
      this.#value(value);
    }
  }

  #otherObject(value: object): void {
    if (value instanceof Date) {
      this.#makeRoom(9);
      this.#bytes[this.#at] = tags.date;
      this.#view.setFloat64(this.#at + 1, value.getTime(), true);
      this.#at += 9;
    } else if (value instanceof Uint8Array) {
      this.#makeRoom(headBytes + value.length);
      this.#head(tags.bytes, value.length);
      this.#at += headBytes;
      this.#copy(value);
    } else {
      this.#elements(value);
    }
  }

  #elements(value: object): void {
    const code = elementArrays.findIndex((type) => value instanceof type);
    if (code < 0) {
      const name: unknown = value.constructor?.name;
      throw unsupported(`an object of ${String(name)}, which has no form on the bus`);
    }
    const { buffer, byteOffset, byteLength } = value as ArrayBufferView;
    this.#makeRoom(1 + headBytes + byteLength);
    this.#bytes[this.#at] = tags.elements;
    this.#bytes[this.#at + 1] = code;
    this.#view.setUint32(this.#at + 2, byteLength, true);
    this.#at += 1 + headBytes;
    this.#copy(new Uint8Array(buffer, byteOffset, byteLength));
  }

  #copy(source: Uint8Array): void {
    this.#bytes.set(source, this.#at);
    this.#at += source.length;
  }

  #makeRoom(lengthBytes: number): void {
    const end = this.#at + lengthBytes;
    if (end > this.#bytes.length) this.#grow(end);
  }

  #grow(end: number): void {
    if (end > limits.valueBytesMax) {
      throw new RuntimeError(
        'BUS_MESSAGE_TOO_LARGE',
        `A message body takes more than ${limits.valueBytesMax} bytes; large payloads go through the arena.`,
      );
    }
    const old = this.#bytes;
    this.#allocate(Math.min(limits.valueBytesMax, Math.max(end, 2 * old.length)));
    old.copy(this.#bytes, 0, 0, this.#at);
  }

  #allocate(lengthBytes: number): void {
    this.#bytes = Buffer.from(new ArrayBuffer(lengthBytes));
    this.#view = new DataView(this.#bytes.buffer);
  }
}
