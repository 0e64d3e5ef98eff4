/**
 * Goal: a secret is used, and is nowhere but in the sealed vault and in the
 * request itself. Method: a whole run in a network of its own against a server
 * that sends the secret back in its body, headers, redirects and errors; then a
 * search through all that anybody could read (see `canary-secret-run.ts`).
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { inPublicNetwork } from '../actuators/public-network.ts';

let result: {
  readonly status: string;
  readonly error: unknown;
  readonly waited: readonly (readonly string[])[];
  readonly seen: readonly {
    readonly method: string;
    readonly path: string;
    readonly authorization: string | null;
  }[];
  readonly found: readonly string[];
  readonly markers: number;
  readonly searched: {
    readonly answered: number;
    readonly children: number;
    readonly memorySearched: number;
    readonly files: number;
    readonly records: number;
  };
  readonly script: boolean;
  readonly equal: boolean;
  readonly environmentIsClean: boolean;
};

beforeAll(async () => {
  const script = new URL('./canary-secret-run.ts', import.meta.url);
  result = JSON.parse(await inPublicNetwork(script));
}, 180_000);

describe('a secret that a grant names', () => {
  test('goes into the requests that the grant covers', () => {
    expect(result).toMatchObject({ status: 'succeeded', error: null });
    const paths = result.seen.map(({ method, path }) => `${method} ${path}`).toSorted();
    expect(paths).toEqual([
      'GET /items/after',
      'GET /items/error',
      'GET /items/plain',
      'GET /items/redirect',
      'PUT /items/stored',
      'PUT /items/stored',
      'PUT /items/stored',
    ]);
    for (const { authorization } of result.seen) {
      expect(authorization).toMatch(/^Bearer canary\/secret\+/);
    }
  });

  test('is in no answer, notice, file, record, text, environment and memory of a sandbox', () => {
    expect(result.found).toEqual([]);
    expect(result.searched.answered).toBe(10);
    expect(result.searched.children).toBeGreaterThan(0);
    expect(result.searched.memorySearched).toBeGreaterThan(10_000_000);
    expect(result.searched.files).toBeGreaterThan(3);
    expect(result.searched.records).toBeGreaterThan(50);
    expect(result.script).toBe(true);
  });

  test('was taken out of what the server had sent back', () => {
    // Body, etag, link and id of each answer, in the outcomes and what is made of them.
    expect(result.markers).toBeGreaterThan(30);
  });

  test('does not leave its passphrase to the children of the process', () => {
    expect(result.environmentIsClean).toBe(true);
  });
});

describe('a request that waits for people', () => {
  test('waits on after a restart, under the same id', () => {
    const [before, after] = result.waited;
    expect(before?.length).toBeGreaterThan(0);
    expect(after).toEqual(expect.arrayContaining([...(before ?? [])]));
  });

  test('is replayed from the journal alone', () => {
    expect(result.equal).toBe(true);
  });
});
