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

/** So many lists of keys are kept, of objects with so many keys, each of so many characters. */
const keyListsMax = 8 * 1024;
const listedKeysMax = 32;
const listedKeyCharactersMax = 128;

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

/** Printable ASCII without quote and backslash is its own JSON text. */
const plainText = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  if (text.length >= longTextCharacters) return quotedLong(text);
  if (plainText.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw unusual;
  return JSON.stringify(text);
}

/** A list of keys in the order of some object: where it goes on, and how it is written. */
interface KeyList {
  readonly next: Map<string, KeyList>;
  members: readonly Member[] | null;
}

interface Member {
  readonly key: string;
  /** The quoted key and its colon. */
  readonly name: string;
}

let keyLists: KeyList = { next: new Map(), members: null };
let keyListsKept = 0;

function nextList(list: KeyList, key: string): KeyList {
  const made: KeyList = { next: new Map(), members: null };
  list.next.set(key, made);
  keyListsKept += 1;
  return made;
}

/** Own keys in the order of their UTF-16 code units; that is the order of `sort`. */
function sortedMembers(keys: readonly string[]): readonly Member[] {
  return keys.toSorted().map((key) => ({ key, name: `${quoted(key)}:` }));
}

/**
 * Objects of one kind have the same keys in the same order, so that these are
 * sorted and quoted once.
 */
function membersOf(value: object): readonly Member[] {
  const keys = Object.keys(value);
  if (keys.length > listedKeysMax) return sortedMembers(keys);
  if (keyListsKept >= keyListsMax) {
    keyLists = { next: new Map(), members: null };
    keyListsKept = 0;
  }
  let list = keyLists;
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    if (key.length > listedKeyCharactersMax) return sortedMembers(keys);
    list = list.next.get(key) ?? nextList(list, key);
  }
  list.members ??= sortedMembers(keys);
  return list.members;
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
  const members = membersOf(value);
  let text = '';
  for (let index = 0; index < members.length; index += 1) {
    const { key, name } = members[index] as Member;
    const inner = textOf((value as Record<string, unknown>)[key], depth);
    if (inner === undefined) continue;
    text += text === '' ? `{${name}${inner}` : `,${name}${inner}`;
  }
  return text === '' ? '{}' : `${text}}`;
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
