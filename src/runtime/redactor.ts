/**
 * Replaces sensitive texts by others of the same shape.
 *
 * Invariants
 *   D1. The same text becomes the same placeholder wherever it stands, and no two
 *       become one.
 *   D2. A placeholder has a letter where a letter was and a digit where a digit
 *       was; all else, such as `@` and blanks, stays. So lengths and forms stay.
 *   D3. It follows from a random key that nobody keeps, so it cannot be guessed
 *       by trying texts.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { RuntimeError } from '../kernel/errors.ts';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';

export interface RedactionRule {
  readonly name: string;
  /** With the flag `g`. */
  readonly pattern: RegExp;
}

/** Not at a later group of a UUID, such as the run's own id (RFC 9562, section 4). */
const notInUuid = [0, 1, 2, 3]
  .map((passed) => {
    const [before, behind] = [passed, 3 - passed].map((groups) => `(?:[0-9a-f]{4}-){${groups}}`);
    return `(?<![0-9a-f]{8}-${before}(?=${behind}[0-9a-f]{12}(?![0-9a-f])))`;
  })
  .join('');

/** A sum such as +938 is none: a number with its country has seven digits or more (ITU-T E.164). */
const digitsOfPhone = '(?=(?:[ ./-]?\\(?\\d\\)?){7})';

/** E-mail addresses, keys and tokens, account and card numbers, telephone numbers. */
export const commonRules: readonly RedactionRule[] = [
  {
    name: 'email',
    pattern: /[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{2,63})+/gu,
  },
  {
    name: 'secret',
    pattern:
      /\b(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[abprs])[-_][A-Za-z0-9_-]{10,255}|\bAKIA[A-Z0-9]{16}\b|\beyJ[A-Za-z0-9_-]{5,4096}\.[A-Za-z0-9_-]{5,4096}\.[A-Za-z0-9_-]{5,4096}/g,
  },
  { name: 'iban', pattern: /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b/g },
  {
    name: 'card',
    pattern: new RegExp(`(?<![\\w.])${notInUuid}\\d{4}(?:[ -]?\\d{4}){3}(?!\\w)`, 'g'),
  },
  {
    name: 'phone',
    pattern: new RegExp(
      `(?<![\\w.])${notInUuid}(?:\\+|00)${digitsOfPhone}\\d{1,3}(?:[ ./-]?\\(?\\d{1,5}\\)?){2,6}(?!\\w)`,
      'g',
    ),
  },
];

/**
 * A rule from what a user wrote, a regular expression of JavaScript.
 * @throws RuntimeError USAGE
 */
export function userRule(source: string, number: number): RedactionRule {
  try {
    return namedRule(`pattern ${number}`, source);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RuntimeError(
      'USAGE',
      `${source} is no pattern (${why}); write a regular expression.`,
    );
  }
}

/** @throws Error that says what is wrong with the pattern */
export function namedRule(name: string, source: string): RedactionRule {
  const pattern = new RegExp(source, 'gu');
  if (new RegExp(pattern).test('')) throw new Error('it matches nothing at all');
  return { name, pattern };
}

const letters = 'abcdefghijklmnopqrstuvwxyz';
const matchesNothing = /(?!)/g;
const triesMax = 100;
const hashPattern = /[0-9a-f]{64}/g;
/** Fewer texts of a shape, and a placeholder would soon be a text that is there. */
const shapesMin = 10_000;

export class Redactor {
  #rules: readonly RedactionRule[];
  readonly #fields: ReadonlySet<string>;
  /** Texts of fields, with the name of the field. */
  readonly #learned = new Map<string, string>();
  readonly #key = randomBytes(32); // (D3)
  readonly #placeholders = new Map<string, string>();
  readonly #used = new Set<string>();
  readonly #foundBy = new Map<string, string>();
  /** Hashes of texts that are others now. */
  readonly #hashes = new Map<string, string>();

  /** @param fields Names of properties; their texts are replaced once `learn` has seen them. */
  constructor(rules: readonly RedactionRule[], fields: readonly string[] = []) {
    this.#fields = new Set(fields);
    const ofFields = fields.map((name) => ({ name: `field ${name}`, pattern: matchesNothing }));
    this.#rules = [...ofFields, ...rules];
  }

  /** Whether it replaces texts that it has to see first. */
  get learns(): boolean {
    return this.#fields.size > 0;
  }

  /**
   * Notes the texts of fields, also in a text that is JSON itself.
   * @throws RuntimeError RUN_NOT_REDACTED above `limits.redactionsMax`
   */
  learn(value: Json, field: string | null = null): void {
    if (typeof value === 'string') {
      if (field !== null && value !== '') this.#learned.set(value, field);
      if (this.#learned.size > limits.redactionsMax) throw tooManyTexts();
      const inner = jsonIn(value);
      if (inner !== null) this.learn(inner, field);
    } else if (Array.isArray(value)) {
      for (const item of value) this.learn(item, field);
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value))
        this.learn(inner, this.#fields.has(key) ? key : field);
    }
  }

  /** From here on what was learned is replaced. */
  apply(): void {
    this.#rules = this.#rules.map((rule) => {
      const texts = [...this.#learned].filter(([, field]) => rule.name === `field ${field}`);
      if (texts.length === 0) return rule;
      // The longest first, so that one text in another does not hide the rest of it.
      const sources = texts.map(([text]) => escaped(text)).sort((a, b) => b.length - a.length);
      return { ...rule, pattern: new RegExp(sources.join('|'), 'gu') };
    });
  }

  /** Different texts that each rule found. */
  get counts(): Readonly<Record<string, number>> {
    const counts = Object.fromEntries(this.#rules.map(({ name }) => [name, 0]));
    for (const rule of this.#foundBy.values()) counts[rule] = (counts[rule] ?? 0) + 1;
    return counts;
  }

  /** Says that a text whose hash is named somewhere has another hash now. */
  rehash(before: string, after: string): void {
    if (before !== after) this.#hashes.set(before, after);
  }

  /**
   * A text that is JSON is redacted as the value that it is, for its escapes are no
   * letters; but one with a number that a rule matches, which stays a number in a value, as a text.
   */
  text(text: string): string {
    const inner = jsonIn(text);
    const isValue = inner !== null && JSON.stringify(inner) === text;
    if (isValue && !this.#matchesNumber(inner)) return JSON.stringify(this.value(inner));
    const rehashed =
      this.#hashes.size === 0
        ? text
        : text.replace(hashPattern, (hash) => this.#hashes.get(hash) ?? hash);
    return this.#apply(rehashed, 0);
  }

  /** What one rule has replaced is no text for the next ones. */
  #apply(text: string, at: number): string {
    const rule = this.#rules[at];
    if (rule === undefined || text === '') return text;
    const parts: string[] = [];
    let end = 0;
    for (const match of text.matchAll(rule.pattern)) {
      parts.push(this.#apply(text.slice(end, match.index), at + 1));
      parts.push(this.#placeholder(match[0], rule.name));
      end = match.index + match[0].length;
    }
    parts.push(this.#apply(text.slice(end), at + 1));
    return parts.join('');
  }

  value(value: Json): Json {
    if (typeof value === 'string') return this.text(value);
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.value(item));
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [this.text(key), this.value(inner)]),
    );
  }

  /** Whether no rule matches any text or number of the value. */
  isClean(value: Json): boolean {
    if (typeof value === 'number') return !this.#matchesNumber(value);
    if (typeof value === 'string') {
      const inner = jsonIn(value);
      return this.text(value) === value && (inner === null || this.isClean(inner));
    }
    if (typeof value !== 'object' || value === null) return true;
    return Object.entries(value).every(
      ([key, inner]) => this.text(key) === key && this.isClean(inner),
    );
  }

  #matchesNumber(value: Json): boolean {
    if (typeof value === 'number')
      return this.#rules.some(({ pattern }) => String(value).search(pattern) >= 0);
    if (typeof value !== 'object' || value === null) return false;
    return Object.values(value).some((inner) => this.#matchesNumber(inner));
  }

  #placeholder(found: string, rule: string): string {
    if (this.#used.has(found)) return found;
    const known = this.#placeholders.get(found);
    if (known !== undefined) return known;
    if (this.#placeholders.size >= limits.redactionsMax) {
      throw tooManyTexts();
    }
    const tries = shapesOf(found) < shapesMin ? 0 : triesMax;
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const placeholder = this.#shaped(found, attempt);
      if (placeholder === found || this.#used.has(placeholder)) continue; // (D1)
      if (this.#placeholders.has(placeholder)) continue;
      this.#placeholders.set(found, placeholder);
      this.#used.add(placeholder);
      this.#foundBy.set(found, rule);
      return placeholder;
    }
    throw new RuntimeError(
      'RUN_NOT_REDACTED',
      `A text that ${rule} found is too short to be replaced by another one; use a longer pattern.`,
    );
  }

  /** (D2) */
  #shaped(found: string, attempt: number): string {
    let at = 0;
    let bytes = Buffer.alloc(0);
    return found.replace(/\p{L}|\p{N}/gu, (character) => {
      if (at % 32 === 0)
        bytes = createHmac('sha256', this.#key).update(`${attempt}:${at}:${found}`).digest();
      const byte = bytes[at++ % 32] ?? 0;
      if (/\p{N}/u.test(character)) return String(byte % 10);
      const letter = letters[byte % letters.length] ?? 'x';
      return character === character.toUpperCase() ? letter.toUpperCase() : letter;
    });
  }
}

function tooManyTexts(): RuntimeError {
  return new RuntimeError(
    'RUN_NOT_REDACTED',
    `More than ${limits.redactionsMax} texts would be replaced; use narrower patterns.`,
  );
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** The object or list that a text is, or null. */
function jsonIn(text: string): Json {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

/** How many texts have the shape of this one. */
function shapesOf(text: string): number {
  const digits = text.match(/\p{N}/gu)?.length ?? 0;
  const others = text.match(/\p{L}/gu)?.length ?? 0;
  return 10 ** digits * letters.length ** others;
}
