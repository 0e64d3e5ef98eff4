import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../src/kernel/json.ts';
import { diffJson, type JsonChange } from '../../src/kernel/json-diff.ts';

/** Makes the changes; RFC 6901 says what a path means. */
function patched(value: Json | undefined, changes: readonly JsonChange[]): Json | undefined {
  let result = structuredClone(value);
  for (const { path, after } of changes) {
    if (path === '') {
      result = after;
      continue;
    }
    const keys = path
      .slice(1)
      .split('/')
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    let parent = result as Record<string, Json>;
    for (const key of keys) parent = parent[key] as Record<string, Json>;
    if (after !== undefined) {
      Object.defineProperty(parent, last, {
        value: after,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    } else if (Array.isArray(parent)) parent.splice(Number(last));
    else delete parent[last];
  }
  return result;
}

describe('diffJson', () => {
  test('makes one value of the other, for any two, and nothing of equal ones', () => {
    const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)));
    fc.assert(
      fc.property(json, json, (before: Json, after: Json) => {
        // From the end, so that a list that gets shorter loses its last places first.
        const changes = diffJson(before, after);
        expect(patched(before, changes.toReversed())).toEqual(after);
        expect(diffJson(after, structuredClone(after))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('names the smallest parts that differ', () => {
    const before: Json = { a: [1, { b: 2, 'x/y~': 3 }], gone: null, same: 'x' };
    const after: Json = { a: [1, { b: 2, 'x/y~': 4 }, 5], same: 'x', come: [] };
    expect(diffJson(before, after)).toEqual([
      { path: '/a/1/x~1y~0', before: 3, after: 4 },
      { path: '/a/2', before: undefined, after: 5 },
      { path: '/gone', before: null, after: undefined },
      { path: '/come', before: undefined, after: [] },
    ]);
    expect(diffJson({ a: 1 }, [1])).toEqual([{ path: '', before: { a: 1 }, after: [1] }]);
    expect(diffJson(undefined, 0)).toEqual([{ path: '', before: undefined, after: 0 }]);
  });
});
