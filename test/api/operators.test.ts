import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startApi } from '../../src/api/server.ts';
import { generateKeyPair } from '../../src/identity/signing-key.ts';
import { enrolment, grantOf, signed } from '../identity/operators.ts';
import { InMemoryOperators } from './in-memory-operators.ts';
import { InMemoryRuntime } from './in-memory-runtime.ts';

interface Body {
  readonly enrolmentProof: string;
  readonly problem: string | null;
  readonly id: string;
  readonly grants: readonly unknown[];
}

const ann = generateKeyPair();
const expires = Date.now() + 3_600_000;

async function api() {
  const folder = mkdtempSync(join(tmpdir(), 'openclaw-api-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const operators = new InMemoryOperators(folder);
  const server = await startApi({
    runtime: new InMemoryRuntime(operators),
    host: '127.0.0.1',
    port: 0,
  });
  onTestFinished(() => server.close());
  return async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${server.url}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Body };
  };
}

describe('the routes of the operators', () => {
  test('enrol the first key with its proof, then issue and revoke grants', async () => {
    const ask = await api();
    const { body: before } = await ask('GET', '/v1/keys');
    const first = enrolment('ann', ann, [], { expires });
    expect(await ask('POST', '/v1/keys', first)).toMatchObject({
      status: 409,
      body: { code: 'KEY_CHANGE_REFUSED' },
    });
    const proof = readFileSync(before.enrolmentProof, 'utf8').trim();
    expect(await ask('POST', '/v1/keys', { ...first, proof })).toMatchObject({
      status: 200,
      body: { keys: [{ name: 'ann', revoked: null }], enrolmentProof: null },
    });
    const grant = signed(grantOf({ expires, notBefore: expires - 7_200_000 }), ann);
    const { status, body: issued } = await ask('POST', '/v1/grants', grant);
    expect([status, issued.problem]).toEqual([201, null]);
    expect(await ask('POST', '/v1/grants', grant)).toMatchObject({
      status: 400,
      body: { code: 'GRANT_INVALID' },
    });
    expect(await ask('DELETE', `/v1/grants/${issued.id}?reason=over`)).toMatchObject({
      status: 200,
      body: { revoked: { reason: 'over' } },
    });
    expect((await ask('GET', '/v1/grants')).body.grants).toHaveLength(1);
    expect((await ask('GET', '/v1/approvals')).body).toEqual({ approvals: [] });
  });

  test.each([
    ['POST', '/v1/keys', {}, 400],
    ['POST', '/v1/grants', { grant: grantOf(), signatures: [{}] }, 400],
    ['POST', '/v1/approvals/x', {}, 400],
    ['POST', '/v1/approvals/x', { deny: false }, 400],
    ['POST', '/v1/approvals/x', { deny: true }, 404],
    ['DELETE', '/v1/grants/ffffffff', undefined, 404],
  ])('%s %s with %j is %i', async (method, path, body, status) => {
    expect((await (await api())(method, path, body)).status).toBe(status);
  });
});
