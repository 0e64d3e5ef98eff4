/**
 * Takes secrets out of what comes back from outside, before a record of it
 * exists (law D7). A server may send a credential back in any dress: as it is,
 * escaped, encoded, in another case or from back to front.
 *
 * Invariants
 *   S1. Where a secret stands in one of the forms below, each of its characters
 *       in any of the dresses, nothing of it is left: `[secret NAME]` stands there.
 *   S2. Every text of a value is looked at, names of fields too.
 *   S3. A value without a secret comes back as it was, and costs one search.
 *
 * Not found: a secret that was compressed, encrypted, hashed, cut into pieces
 * or translated into another alphabet than these.
 */
import type { Json } from '../kernel/json.ts';

export interface NamedSecret {
  readonly name: string;
  readonly value: string;
}

interface Pattern {
  readonly name: string;
  readonly expression: RegExp;
}

export class Scrubber {
  readonly #patterns: readonly Pattern[];

  constructor(secrets: readonly NamedSecret[]) {
    // The longest first, so that one which contains another is named whole.
    this.#patterns = secrets
      .toSorted((a, b) => b.value.length - a.value.length)
      .map(({ name, value }) => ({ name, expression: expressionOf(value) }));
  }

  text(text: string): string {
    let scrubbed = text;
    for (const { name, expression } of this.#patterns) {
      scrubbed = scrubbed.replace(expression, () => `[secret ${name}]`);
    }
    return scrubbed;
  }

  /** The value with every text in it scrubbed (S2). */
  json<Value extends Json>(value: Value): Value {
    if (this.#patterns.length === 0) return value; // (S3)
    return this.#json(value) as Value;
  }

  #json(value: Json): Json {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((inner) => this.#json(inner));
    if (value === null || typeof value !== 'object') return value;
    const entries = Object.entries(value);
    return Object.fromEntries(entries.map(([key, inner]) => [this.text(key), this.#json(inner)]));
  }
}

function expressionOf(value: string): RegExp {
  const backwards = Array.from(value).toReversed().join('');
  const bytes = Buffer.from(value, 'utf8');
  const forms = [
    dressed(value),
    dressed(backwards),
    ...base64Forms(bytes).map(quoted),
    hexadecimal(bytes),
    hexadecimal(bytes.toReversed()),
  ];
  return new RegExp(forms.join('|'), 'gi');
}

/** Each character as it is or escaped as JSON, URLs, HTML or C do it. */
function dressed(value: string): string {
  return Array.from(value, dressedCharacter).join('');
}

function dressedCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const percent = Array.from(Buffer.from(character, 'utf8'), (byte) => `%${twoDigits(byte)}`);
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  const forms = [
    // A backslash may stand before any character that somebody thought special.
    `\\\\{0,3}${quoted(character)}`,
    percent.join(''),
    // Encoded twice.
    percent.map((each) => each.replace('%', '%25')).join(''),
    units.map((unit) => `\\\\{1,2}u${unit.toString(16).padStart(4, '0')}`).join(''),
    `\\\\{1,2}u\\{0{0,4}${code.toString(16)}\\}`,
    `&#0{0,4}${code};?`,
    `&#x0{0,4}${code.toString(16)};?`,
    ...(code < 0x100 ? [`\\\\{1,2}x${twoDigits(code)}`, `=${twoDigits(code)}`] : []),
    ...(named[character] ?? []),
  ];
  return `(?:${forms.join('|')})`;
}

const named: Readonly<Record<string, readonly string[]>> = {
  ' ': ['\\+', '&nbsp;'],
  '&': ['&amp;'],
  '<': ['&lt;'],
  '>': ['&gt;'],
  '"': ['&quot;'],
  "'": ['&apos;'],
  '\n': ['\\\\{1,2}n'],
  '\r': ['\\\\{1,2}r'],
  '\t': ['\\\\{1,2}t'],
};

/**
 * Base64 of whatever contains the bytes: where they begin in a group of three
 * decides the letters, and those that also hold bits of a neighbour are left out.
 */
function base64Forms(bytes: Buffer): string[] {
  const forms = new Set<string>();
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const first = Math.ceil((before * 8) / 6);
    const whole = Math.floor(((before + bytes.length) * 8) / 6);
    const inner = text.slice(first, whole);
    forms.add(inner).add(inner.replaceAll('+', '-').replaceAll('/', '_'));
    forms.add(inner.replaceAll('+', '%2B').replaceAll('/', '%2F'));
  }
  return [...forms];
}

/** In either case, and with what people put between bytes. */
function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, twoDigits).join('(?:0x|\\\\x|[ :,-]|, ?0x)?');
}

function twoDigits(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
