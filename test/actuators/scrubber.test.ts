/** Goal: nothing of a secret is left, in whatever dress a server sends it back. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Scrubber } from '../../src/actuators/scrubber.ts';
import type { Json } from '../../src/kernel/json.ts';

const secret = 'sk-Live+9/aé"z\\Q 7';
const scrubber = new Scrubber([
  { name: 'KEY', value: secret },
  { name: 'SHORT', value: 'abcdefgh' },
  { name: 'LONG', value: 'abcdefgh-and-more' },
]);
const bytes = Buffer.from(secret);
const hex = bytes.toString('hex');
const percent = (text: string): string =>
  Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
const units = (text: string): string =>
  Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, '0'))
    .map((code) => `\\u${code}`)
    .join('');

const dresses: Record<string, string> = {
  plain: secret,
  'in capitals': secret.toUpperCase(),
  'in small letters': secret.toLowerCase(),
  backwards: Array.from(secret).toReversed().join(''),
  json: JSON.stringify(secret),
  'json in json': JSON.stringify(JSON.stringify(secret)),
  'json with escaped slashes': JSON.stringify(secret).replaceAll('/', '\\/'),
  'json by code units': units(secret),
  url: encodeURIComponent(secret),
  'url in small letters': encodeURIComponent(secret).toLowerCase(),
  'url, every byte': percent(secret),
  'url, every byte in capitals': percent(secret).toUpperCase(),
  'url twice': encodeURIComponent(encodeURIComponent(secret)),
  form: new URLSearchParams({ q: secret }).toString(),
  base64: bytes.toString('base64'),
  base64url: bytes.toString('base64url'),
  'base64 after one byte': Buffer.concat([Buffer.from('x'), bytes]).toString('base64'),
  'base64 after two bytes': Buffer.concat([Buffer.from('xy'), bytes]).toString('base64'),
  'base64 in the middle': Buffer.from(`user:${secret}:more`).toString('base64'),
  'base64 in a url': encodeURIComponent(Buffer.from(`>>>?${secret}???`).toString('base64')),
  hex,
  'hex in capitals': hex.toUpperCase(),
  'hex with colons': hex.replace(/..(?!$)/g, '$&:'),
  'hex with 0x': `0x${hex.replace(/..(?!$)/g, '$&, 0x')}`,
  'hex escapes': hex.replace(/../g, '\\x$&'),
  'hex of it backwards': Buffer.from(bytes.toReversed()).toString('hex'),
  html: secret.replaceAll('"', '&quot;'),
  'html by numbers': Array.from(secret, (c) => `&#${c.codePointAt(0)};`).join(''),
  'html by hexadecimal numbers': Array.from(
    secret,
    (c) => `&#x${c.codePointAt(0)?.toString(16)};`,
  ).join(''),
};

describe('the scrubber', () => {
  test.each(Object.entries(dresses))('finds a secret %s', (_name, dressed) => {
    const scrubbed = scrubber.text(`before ${dressed} after`);
    expect(scrubbed).toContain('[secret KEY]');
    expect(scrubbed.toLowerCase()).not.toContain(dressed.toLowerCase());
    expect(scrubbed).toContain('before');
    expect(scrubbed).toContain('after');
  });

  test('of one within another names the longer', () => {
    expect(scrubber.text('abcdefgh-and-more abcdefgh')).toBe('[secret LONG] [secret SHORT]');
  });

  test('looks into every text of a value, and names of fields', () => {
    const value = { a: [{ [`x${secret}`]: 1 }, `${secret}${secret}`], n: 5, z: null, t: true };
    expect(scrubber.json(value as Json)).toEqual({
      a: [{ 'x[secret KEY]': 1 }, '[secret KEY][secret KEY]'],
      n: 5,
      z: null,
      t: true,
    });
  });

  test('leaves what has none as it was', () => {
    const value: Json = { text: 'sk-Live+9/a', other: ['', 'abcdefg', '$&'] };
    expect(scrubber.json(value)).toEqual(value);
    expect(new Scrubber([]).json(value)).toBe(value);
  });

  test('takes a secret as it is, whatever it looks like in a pattern', () => {
    const odd = new Scrubber([{ name: 'ODD', value: '.*[a]$^(b)|{}' }]);
    expect(odd.text('x .*[a]$^(b)|{} y')).toBe('x [secret ODD] y');
    expect(odd.text('anything at all')).toBe('anything at all');
  });

  test('finds any secret in any encoding, wherever it stands', () => {
    const encode = [
      (text: string) => text,
      (text: string) => encodeURIComponent(text),
      (text: string) => JSON.stringify(text),
      (text: string) => Buffer.from(text).toString('base64'),
      (text: string) => Buffer.from(text).toString('hex'),
    ];
    fc.assert(
      fc.property(
        fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme' }),
        fc.string({ maxLength: 7 }),
        fc.nat(encode.length - 1),
        (value, before, which) => {
          fc.pre(value.isWellFormed());
          const text = encode[which]?.(`${before.toWellFormed()}${value}tail`) ?? '';
          const found = new Scrubber([{ name: 'X', value }]).text(text);
          return found.includes('[secret X]');
        },
      ),
      { numRuns: 100 },
    );
  });

  test('is not held up by a text made to hold it up', () => {
    const text = `${'\\'.repeat(50_000)}${'sk-Live'.repeat(20_000)}${'%25'.repeat(50_000)}`;
    expect(scrubber.text(text)).toBe(text);
    const random = randomBytes(300_000).toString('base64');
    expect(scrubber.text(random)).toBe(random);
  });
});
