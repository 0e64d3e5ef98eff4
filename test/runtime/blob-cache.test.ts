import { expect, test } from 'vitest';
import { sha256 } from '../../src/kernel/hash.ts';
import { cachedTexts } from '../../src/runtime/blob-cache.ts';

/** A lookup over some contents, and how often each was asked for. */
function counted(contents: readonly Buffer[]) {
  const asked: string[] = [];
  const known = new Map(contents.map((content) => [sha256(content), content]));
  const lookup = cachedTexts((hash) => {
    asked.push(hash);
    return known.get(hash) ?? null;
  });
  return { asked, lookup };
}

test('a blob is looked up once, one that is missing or long each time', () => {
  const small = Buffer.from('small');
  const long = Buffer.alloc(64 * 1024 + 1, 'x');
  const { asked, lookup } = counted([small, long]);
  for (let turn = 0; turn < 3; turn += 1) {
    expect(String(lookup(sha256(small)))).toBe('small');
    expect(lookup(sha256(long))).toEqual(long);
    expect(lookup(sha256('missing'))).toBeNull();
  }
  expect(asked.filter((hash) => hash === sha256(small))).toHaveLength(1);
  expect(asked.filter((hash) => hash === sha256(long))).toHaveLength(3);
  expect(asked.filter((hash) => hash === sha256('missing'))).toHaveLength(3);
});

test('it keeps 64 blobs, and finds all the others as well', () => {
  const contents = Array.from({ length: 65 }, (_, index) => Buffer.from(`content ${index}`));
  const { asked, lookup } = counted(contents);
  for (const content of contents.slice(0, 64)) lookup(sha256(content));
  for (const content of contents.slice(0, 64)) lookup(sha256(content));
  expect(asked).toHaveLength(64);
  for (const content of contents) expect(lookup(sha256(content))).toBe(String(content));
  expect(asked).toHaveLength(65);
  // The 65th emptied it.
  expect(lookup(sha256(contents[0] ?? ''))).toBe(String(contents[0]));
  expect(asked).toHaveLength(66);
});
