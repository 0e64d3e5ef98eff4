/**
 * JSON values as bytes. Names of the actor itself and of its run are written as
 * what the reader knows already.
 *
 * Invariants
 *   V1. What is read equals what was written, with its keys in their order.
 *   V2. A number is in its shortest form of three.
 */
import { assert } from '../kernel/assert.ts';
import type { SnapshotNames } from './snapshot-names.ts';

const tags = {
  null: 0,
  true: 1,
  false: 2,
  undefined: 3,
  integer: 4,
  negative: 5,
  float: 6,
  /** ASCII. */
  text: 7,
  utf8: 8,
  run: 10,
  self: 11,
  parent: 12,
  /** What follows `run:self:` in the key of an intention. */
  key: 13,
  array: 14,
  /** What follows `self/` in the name of a child. */
  child: 15,
  map: 16,
  /** ASCII of 0 to 31 characters, the length in the tag itself. */
  short: 96,
  /** Integers from 0 to 127 in the tag itself. */
  small: 128,
} as const;

const shortCharactersMax = tags.small - tags.short - 1;
const floatBytes = new DataView(new ArrayBuffer(8));

// biome-ignore lint/suspicious/noControlCharactersInRegex: all characters of ASCII
const nonAscii = /[^\x00-\x7f]/;

export class ValueWriter {
  bytes: Buffer = Buffer.alloc(4_096);
  at = 0;
  #names: SnapshotNames | null = null;

  begin(names: SnapshotNames): void {
    this.#names = names;
    this.at = 0;
  }

  room(lengthBytes: number): void {
    const end = this.at + lengthBytes;
    if (end <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.max(end, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  byte(value: number): void {
    this.bytes[this.at] = value;
    this.at += 1;
  }

  count(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.byte((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.byte(rest);
  }

  value(value: unknown): void {
    this.room(16);
    if (typeof value === 'string') this.#text(value);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'boolean') this.byte(value ? tags.true : tags.false);
    else if (value === undefined) this.byte(tags.undefined);
    else if (value === null) this.byte(tags.null);
    else if (Array.isArray(value)) {
      this.byte(tags.array);
      this.count(value.length);
      for (const item of value) this.value(item);
    } else {
      assert(typeof value === 'object', 'a state is plain JSON');
      this.#map(value as Record<string, unknown>);
    }
  }

  /** (V2) */
  #number(value: number): void {
    const whole = Number.isSafeInteger(value) && !Object.is(value, -0);
    if (whole && value >= 0 && value < 128) this.byte(tags.small | value);
    else if (whole) {
      this.byte(value < 0 ? tags.negative : tags.integer);
      this.count(Math.abs(value));
    } else {
      this.byte(tags.float);
      this.at = this.bytes.writeDoubleLE(value, this.at);
    }
  }

  #text(text: string): void {
    const names = this.#names;
    assert(names !== null, 'somebody has these values');
    if (text === names.id) this.byte(tags.self);
    else if (text === names.parent) this.byte(tags.parent);
    else if (text === names.run) this.byte(tags.run);
    else if (text.startsWith(names.keys)) {
      this.byte(tags.key);
      this.#plain(text.slice(names.keys.length));
    } else if (text.startsWith(names.id) && text[names.id.length] === '/') {
      this.byte(tags.child);
      this.#plain(text.slice(names.id.length + 1));
    } else this.#plain(text);
  }

  #plain(text: string): void {
    assert(text.isWellFormed(), 'a state has a hash, so its texts are well-formed');
    const lengthBytes = Buffer.byteLength(text);
    this.room(16 + lengthBytes);
    const isAscii = lengthBytes === text.length && !nonAscii.test(text);
    if (isAscii && lengthBytes <= shortCharactersMax) this.byte(tags.short + lengthBytes);
    else {
      this.byte(isAscii ? tags.text : tags.utf8);
      this.count(lengthBytes);
    }
    this.at += this.bytes.write(text, this.at, 'utf8');
  }

  #map(object: Record<string, unknown>): void {
    const keys = Object.keys(object);
    this.byte(tags.map);
    this.count(keys.length);
    for (const key of keys) {
      this.room(16);
      this.#text(key);
      this.value(object[key]);
    }
  }
}

/**
 * Reads from bytes as characters, each below 256: so a text of the snapshot is a
 * part of them, and what is read later needs no copy of its own.
 */
export class ValueReader {
  readonly #bytes: string;
  readonly #names: SnapshotNames;
  at: number;

  constructor(bytes: string, at: number, names: SnapshotNames) {
    this.#bytes = bytes;
    this.#names = names;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at === this.#bytes.length;
  }

  byte(): number {
    assert(this.at < this.#bytes.length, 'a snapshot is whole');
    const byte = this.#bytes.charCodeAt(this.at);
    this.at += 1;
    return byte;
  }

  count(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  value(): unknown {
    const tag = this.byte();
    if (tag >= tags.small) return tag & 127;
    if (tag >= tags.short) return this.#characters(tag - tags.short);
    switch (tag) {
      case tags.null:
        return null;
      case tags.true:
        return true;
      case tags.false:
        return false;
      case tags.undefined:
        return undefined;
      case tags.integer:
        return this.count();
      case tags.negative:
        return -this.count();
      case tags.float:
        for (let index = 0; index < 8; index += 1) floatBytes.setUint8(index, this.byte());
        return floatBytes.getFloat64(0, true);
      case tags.text:
        return this.#characters(this.count());
      default:
        return this.#other(tag);
    }
  }

  #other(tag: number): unknown {
    const names = this.#names;
    switch (tag) {
      case tags.utf8:
        return Buffer.from(this.#characters(this.count()), 'latin1').toString('utf8');
      case tags.run:
        return names.run;
      case tags.self:
        return names.id;
      case tags.parent:
        return names.parent;
      case tags.key:
        return names.keys + this.#text();
      case tags.child:
        return `${names.id}/${this.#text()}`;
      case tags.array: {
        const length = this.count();
        const array: unknown[] = [];
        for (let index = 0; index < length; index += 1) array.push(this.value());
        return array;
      }
      default:
        assert(tag === tags.map, 'a known tag');
        return this.#map(this.count());
    }
  }

  #characters(length: number): string {
    const start = this.at;
    this.at += length;
    assert(this.at <= this.#bytes.length, 'a text ends inside its snapshot');
    return this.#bytes.slice(start, this.at);
  }

  #text(): string {
    const text = this.value();
    assert(typeof text === 'string', 'a key is a text');
    return text;
  }

  #map(count: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (let index = 0; index < count; index += 1) {
      const key = this.#text();
      const value = this.value();
      if (key === '__proto__') {
        const own = { value, enumerable: true, configurable: true, writable: true };
        Object.defineProperty(object, key, own);
      } else object[key] = value;
    }
    return object;
  }
}
