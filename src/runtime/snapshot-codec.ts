/**
 * A hibernated actor as few bytes: what many have in common are numbers of
 * shared texts, and its own names are written as what the reader knows already,
 * its run and its id.
 *
 * Invariants
 *   C1. What is read equals what was written: the state has the same hash.
 *   C2. A number is in its shortest form of three; an object whose keys are all
 *       names is written as its shape when that is a shared text.
 */
import { type Actor, type ActorJson, actorFromJson, actorToJson } from '../actors/actor.ts';
import { assert } from '../kernel/assert.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { SharedTexts } from './shared-texts.ts';

const tags = {
  null: 0,
  true: 1,
  false: 2,
  undefined: 3,
  integer: 4,
  negative: 5,
  float: 6,
  text: 7,
  shared: 9,
  run: 10,
  self: 11,
  parent: 12,
  /** What follows `run:self:` in the key of an intention. */
  key: 13,
  array: 14,
  shape: 15,
  map: 16,
  /** Integers from 0 to 127 in the tag itself. */
  small: 128,
} as const;

const namePattern = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const digestBytes = 32;
const flags = { begins: 1, digest: 2 };

/** An actor and what its host remembers beside the fold. */
export interface Sleeper {
  readonly actor: Actor;
  readonly previousDigest: Buffer | null;
  readonly begins: boolean;
}

interface Names {
  readonly run: RunId;
  readonly id: ActorId;
}

function parentOf(id: string): string {
  return id.slice(0, Math.max(0, id.lastIndexOf('/')));
}

export class SnapshotCodec {
  readonly #texts: SharedTexts;
  readonly #shapes = new Map<number, readonly string[]>();
  #bytes: Buffer = Buffer.alloc(4_096);
  #at = 0;
  #run = '';
  #id = '';
  #parent = '';
  #keys = '';

  constructor(texts: SharedTexts) {
    this.#texts = texts;
  }

  /** The bytes are valid until the next call. */
  encode({ actor, previousDigest, begins }: Sleeper): Uint8Array {
    this.#begin(actor);
    this.#at = 0;
    this.#room(1 + digestBytes);
    this.#byte((begins ? flags.begins : 0) | (previousDigest === null ? 0 : flags.digest));
    if (previousDigest !== null) {
      assert(previousDigest.length === digestBytes, 'a digest is SHA-256');
      this.#at += previousDigest.copy(this.#bytes, this.#at);
    }
    const { run: _run, id: _id, ...rest } = actorToJson(actor);
    this.#value(rest);
    return this.#bytes.subarray(0, this.#at);
  }

  /** Whose snapshot it is says the directory, where it was found. */
  decode(bytes: Buffer, { run, id }: Names): Sleeper {
    this.#begin({ run, id });
    const own = this.#bytes;
    this.#bytes = bytes;
    this.#at = 0;
    try {
      const flag = this.#next();
      let previousDigest: Buffer | null = null;
      if ((flag & flags.digest) !== 0) {
        previousDigest = Buffer.from(bytes.subarray(1, 1 + digestBytes));
        this.#at += digestBytes;
      }
      const rest = this.#read() as Omit<ActorJson, 'run' | 'id'>;
      assert(this.#at === bytes.length, 'a snapshot ends where its actor ends');
      const actor = actorFromJson({ run, id, ...rest });
      return { actor, previousDigest, begins: (flag & flags.begins) !== 0 };
    } finally {
      this.#bytes = own;
    }
  }

  #begin({ run, id }: Names): void {
    this.#run = run;
    this.#id = id;
    this.#parent = parentOf(id);
    this.#keys = `${run}:${id}:`;
  }

  #room(lengthBytes: number): void {
    const end = this.#at + lengthBytes;
    if (end <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(end, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }

  #byte(value: number): void {
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }

  #count(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#byte((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
  }

  #value(value: unknown): void {
    this.#room(16);
    if (typeof value === 'string') this.#text(value);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'boolean') this.#byte(value ? tags.true : tags.false);
    else if (value === undefined) this.#byte(tags.undefined);
    else if (value === null) this.#byte(tags.null);
    else if (Array.isArray(value)) {
      this.#byte(tags.array);
      this.#count(value.length);
      for (const item of value) this.#value(item);
    } else {
      assert(typeof value === 'object', 'a state is plain JSON');
      this.#object(value as Record<string, unknown>);
    }
  }

  /** (C2) */
  #number(value: number): void {
    const whole = Number.isSafeInteger(value) && !Object.is(value, -0);
    if (whole && value >= 0 && value < 128) this.#byte(tags.small | value);
    else if (whole) {
      this.#byte(value < 0 ? tags.negative : tags.integer);
      this.#count(Math.abs(value));
    } else {
      this.#byte(tags.float);
      this.#at = this.#bytes.writeDoubleLE(value, this.#at);
    }
  }

  #text(text: string): void {
    if (text === this.#run) this.#byte(tags.run);
    else if (text === this.#id) this.#byte(tags.self);
    else if (text === this.#parent) this.#byte(tags.parent);
    else if (text.startsWith(this.#keys)) {
      this.#byte(tags.key);
      this.#plain(text.slice(this.#keys.length));
    } else {
      const number = this.#texts.numberOf(text, this.#keys);
      if (number === null) this.#plain(text);
      else {
        this.#byte(tags.shared);
        this.#count(number);
      }
    }
  }

  #plain(text: string): void {
    assert(text.isWellFormed(), 'a state has a hash, so its texts are well-formed');
    const lengthBytes = Buffer.byteLength(text);
    this.#room(16 + lengthBytes);
    this.#byte(tags.text);
    this.#count(lengthBytes);
    this.#at += this.#bytes.write(text, this.#at, 'utf8');
  }

  #object(object: Record<string, unknown>): void {
    const keys = Object.keys(object);
    // Names of actors, which are keys too, belong to one owner or few: they are no shape.
    const isShape = keys.length > 0 && keys.every((key) => namePattern.test(key));
    const shape = isShape ? this.#texts.numberOf(`{${keys.join(',')}}`, this.#keys) : null;
    if (shape !== null) {
      this.#byte(tags.shape);
      this.#count(shape);
      for (const key of keys) this.#value(object[key]);
      return;
    }
    this.#byte(tags.map);
    this.#count(keys.length);
    for (const key of keys) {
      this.#room(16);
      this.#text(key);
      this.#value(object[key]);
    }
  }

  #next(): number {
    const byte = this.#bytes[this.#at];
    assert(byte !== undefined, 'a snapshot is whole');
    this.#at += 1;
    return byte;
  }

  #readCount(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#next();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  #readBytes(): string {
    const end = this.#readCount() + this.#at;
    assert(end <= this.#bytes.length, 'a text ends inside its snapshot');
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end;
    return text;
  }

  #readText(): string {
    const text = this.#read();
    assert(typeof text === 'string', 'a key is a text');
    return text;
  }

  #read(): unknown {
    const tag = this.#next();
    if (tag >= tags.small) return tag & 127;
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
        return this.#readCount();
      case tags.negative:
        return -this.#readCount();
      case tags.float: {
        this.#at += 8;
        return this.#bytes.readDoubleLE(this.#at - 8);
      }
      case tags.text:
        return this.#readBytes();
      case tags.shared:
        return this.#texts.textOf(this.#readCount());
      case tags.run:
        return this.#run;
      case tags.self:
        return this.#id;
      case tags.parent:
        return this.#parent;
      case tags.key:
        return this.#keys + this.#readText();
      case tags.array:
        return Array.from({ length: this.#readCount() }, () => this.#read());
      case tags.shape:
        return this.#readShape(this.#readCount());
      default:
        assert(tag === tags.map, 'a known tag');
        return this.#readMap(this.#readCount());
    }
  }

  #readShape(number: number): Record<string, unknown> {
    let keys = this.#shapes.get(number);
    if (keys === undefined) {
      keys = this.#texts.textOf(number).slice(1, -1).split(',');
      assert(this.#shapes.size < limits.recordShapeKeysMax, 'shapes stay within their bound');
      this.#shapes.set(number, keys);
    }
    const object: Record<string, unknown> = {};
    for (const key of keys) set(object, key, this.#read());
    return object;
  }

  #readMap(count: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (let index = 0; index < count; index += 1) set(object, this.#readText(), this.#read());
    return object;
  }
}

function set(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else object[key] = value;
}
