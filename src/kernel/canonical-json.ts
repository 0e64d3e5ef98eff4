/**
 * RFC 8785 text of plain JSON, in one recursion. Whatever is not plain (an
 * object of a class, `toJSON`, a number or text without JSON form, deep
 * nesting, a cycle) is left to the `canonicalize` package, whose text is the
 * same and whose errors are clear.
 */
import canonicalize from 'canonicalize';

/** Deeper values, and cycles, are left to the package, which does not recurse. */
const depthMax = 100;
/** Long texts, such as a run's definition, occur again in every state that carries them. */
const longTextCharacters = 512;
/** The cache holds so many texts of up to so many characters, and is emptied when it is full. */
const longTextsMax = 64;
const cachedCharactersMax = 64 * 1024;

const longTexts = new Map<string, string>();

/** Ends the recursion: the whole value goes to the package. */
const unusual = Symbol('unusual');

function quotedLong(text: string): string {
  const known = longTexts.get(text);
  if (known !== undefined) return known;
  if (!text.isWellFormed()) throw unusual;
  const quoted = JSON.stringify(text);
  if (text.length > cachedCharactersMax) return quoted;
  if (longTexts.size >= longTextsMax) longTexts.clear();
  longTexts.set(text, quoted);
  return quoted;
}

function quoted(text: string): string {
  if (text.length >= longTextCharacters) return quotedLong(text);
  if (!text.isWellFormed()) throw unusual;
  return JSON.stringify(text);
}

/** Own keys in the order of their UTF-16 code units. */
function sortedKeys(value: object): string[] {
  const keys = Object.keys(value);
  for (let index = 1; index < keys.length; index += 1) {
    if ((keys[index - 1] as string) > (keys[index] as string)) return keys.sort();
  }
  return keys;
}

function arrayText(value: readonly unknown[], depth: number): string {
  let text = '[';
  for (let index = 0; index < value.length; index += 1) {
    if (index > 0) text += ',';
    text += textOf(value[index], depth) ?? 'null';
  }
  return `${text}]`;
}

function objectText(value: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw unusual;
  let text = '{';
  for (const key of sortedKeys(value)) {
    const inner = textOf((value as Record<string, unknown>)[key], depth);
    if (inner === undefined) continue;
    text += text.length > 1 ? `,${quoted(key)}:${inner}` : `${quoted(key)}:${inner}`;
  }
  return `${text}}`;
}

function textOf(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
      if (!Number.isFinite(value)) throw unusual;
      return String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth >= depthMax || typeof (value as { toJSON?: unknown }).toJSON === 'function') {
        throw unusual;
      }
      return Array.isArray(value) ? arrayText(value, depth + 1) : objectText(value, depth + 1);
    case 'undefined':
    case 'function':
    case 'symbol':
      return undefined;
    default:
      throw unusual;
  }
}

/**
 * RFC 8785 text, or undefined of a value that has no JSON form.
 * @throws Error of a number or text without JSON form, and of a cycle.
 */
export function canonicalText(value: unknown): string | undefined {
  try {
    return textOf(value, 0);
  } catch {
    return canonicalize(value);
  }
}
