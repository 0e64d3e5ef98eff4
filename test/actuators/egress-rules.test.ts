import { describe, expect, test } from 'vitest';
import { coverageProblem } from '../../src/actuators/egress-rules.ts';
import type { EgressGrant } from '../../src/identity/egress-grant.ts';
import { approvalId, type EgressRequest } from '../../src/identity/egress-request.ts';
import { grantOf } from '../identity/operators.ts';

const request: EgressRequest = {
  subject: { agent: 'reader', pipeline: 'desk' },
  method: 'GET',
  scheme: 'https',
  host: 'api.example.com',
  port: 443,
  path: '/v1/items',
  bodyBytes: 0,
};
const script = { script: 'ab'.repeat(32) };

describe('a grant covers a request', () => {
  test('when each of its fields fits', () => {
    expect(coverageProblem(grantOf(), request)).toBeNull();
  });

  test.each<[Partial<EgressRequest>]>([
    [{ method: 'POST' }],
    [{ method: 'HEAD' }],
    [{ scheme: 'http' }],
    [{ host: 'example.com' }],
    [{ host: 'x.api.example.com' }],
    [{ host: 'api.example.com.evil.example' }],
    [{ port: 8443 }],
    [{ path: '/' }],
    [{ path: '/v12' }],
    [{ path: '/V1/items' }],
    [{ path: '/x/v1' }],
    [{ bodyBytes: 10_001 }],
    [{ subject: { agent: 'writer', pipeline: 'desk' } }],
    [{ subject: { agent: 'reader', pipeline: 'other' } }],
    [{ subject: { agent: 'reader' } }],
    [{ subject: { skill: 'reader' } }],
    [{ subject: script }],
  ])('and not with %j', (changes) => {
    expect(coverageProblem(grantOf(), { ...request, ...changes })).not.toBeNull();
  });

  test.each<[Partial<EgressGrant>, Partial<EgressRequest>, boolean]>([
    [{ host: '*.example.com' }, {}, true],
    [{ host: '*.example.com' }, { host: 'a.b.example.com' }, true],
    [{ host: '*.example.com' }, { host: 'example.com' }, false],
    [{ host: '*.example.com' }, { host: 'badexample.com' }, false],
    [{ host: '*.example.com' }, { host: 'example.com.evil.example' }, false],
    [{ host: '*.example.com' }, { host: '.example.com' }, false],
    [{ pathPrefix: '/' }, { path: '/anything' }, true],
    [{ pathPrefix: '/v1/' }, { path: '/v1' }, false],
    [{ pathPrefix: '/v1' }, { path: '/v1' }, true],
    [{ subject: { agent: 'reader' } }, {}, true],
    [{ subject: script }, { subject: script }, true],
    [{ subject: script }, { subject: { script: 'cd'.repeat(32) } }, false],
    [{ subject: { skill: 'search' } }, { subject: { skill: 'search' } }, true],
    [{ subject: { skill: 'search' } }, { subject: { skill: 'mail' } }, false],
    [{ methods: ['GET', 'HEAD'] }, { method: 'HEAD' }, true],
  ])('%j and %j: %s', (grant, changes, covered) => {
    expect(coverageProblem(grantOf(grant), { ...request, ...changes }) === null).toBe(covered);
  });

  test('requests that ask the same have one name, and others another', () => {
    const id = approvalId(request);
    expect(approvalId({ ...request, bodyBytes: 5 })).toBe(id);
    for (const changes of [{ path: '/v1' }, { method: 'HEAD' as const }, { port: 1 }]) {
      expect(approvalId({ ...request, ...changes })).not.toBe(id);
    }
  });
});
