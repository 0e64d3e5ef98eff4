import { describe, expect, test } from 'vitest';
import {
  type EgressGrant,
  egressGrantSchema,
  grantId,
  signatureProblem,
} from '../../src/identity/egress-grant.ts';
import { GrantBook, grantIssuedEvent, usesLeft } from '../../src/identity/grant-book.ts';
import { keyChangeEvent, OperatorKeys } from '../../src/identity/operator-keys.ts';
import { generateKeyPair } from '../../src/identity/signing-key.ts';
import { limits } from '../../src/kernel/limits.ts';
import { enrolment, grantOf, signed, statement } from './operators.ts';

const [ann, bob, eve] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];

function twoOfTwo(): OperatorKeys {
  const keys = new OperatorKeys();
  const changes = [
    enrolment('ann', ann),
    enrolment('bob', bob, [ann]),
    statement({ type: 'threshold', threshold: 2 }, [ann]),
  ];
  for (const change of changes) keys.apply(keyChangeEvent(change), { sequence: 1, timeMs: 1 });
  return keys;
}

describe('the document of a grant', () => {
  test.each<[string, Partial<EgressGrant> | object]>([
    ['a host in capitals', { host: 'API.example.com' }],
    ['a whole top-level domain', { host: '*.com' }],
    ['every host', { host: '*' }],
    ['a wildcard inside', { host: 'api.*.com' }],
    ['a wildcard of an address', { host: '*.8.8.8' }],
    ['an address in another notation', { host: '0x8.8.8.8' }],
    ['a short address', { host: '8.8.8' }],
    ['an IPv6 address in another form', { host: '[2606:4700:0::1111]' }],
    ['a port with its host', { host: 'example.com:443' }],
    ['a name outside ASCII', { host: 'bücher.example' }],
    ['a trailing dot', { host: 'example.com.' }],
    ['no host', { host: '' }],
    ['a path without a slash', { pathPrefix: 'v1' }],
    ['a path that a URL would change', { pathPrefix: '/v1/../admin' }],
    ['a path with a query', { pathPrefix: '/v1?x' }],
    ['another purpose', { purpose: 'release' }],
    ['a field that nobody knows', { all: true }],
    ['no method', { methods: [] }],
    ['a method twice', { methods: ['GET', 'GET'] }],
    ['a method that carries anything', { methods: ['CONNECT'] }],
    ['no use', { maxUses: 0 }],
    ['uses without end', { maxUses: limits.grantUsesMax + 1 }],
    ['an end before its beginning', { notBefore: 5, expires: 5 }],
    ['a time without end', { expires: limits.grantMsMax + 1 }],
    ['two subjects', { subject: { agent: 'a', skill: 'b' } }],
    ['nobody', { subject: {} }],
    ['a script that is no hash', { subject: { script: 'ab' } }],
    [
      'a credential that frames the message',
      {
        credentials: [{ secret: 'KEY', header: 'host', format: '{}' }],
      },
    ],
    [
      'a credential without a place',
      {
        credentials: [{ secret: 'KEY', header: 'authorization', format: 'Bearer' }],
      },
    ],
    [
      'a line break beside a credential',
      {
        credentials: [{ secret: 'KEY', header: 'x-key', format: '{}\r\nhost: x' }],
      },
    ],
    [
      'two credentials in one header',
      {
        credentials: [
          { secret: 'A', header: 'x-key', format: '{}' },
          { secret: 'B', header: 'x-key', format: '{}' },
        ],
      },
    ],
    ['a short nonce', { nonce: 'abc' }],
  ])('refuses %s', (_what, changes) => {
    expect(egressGrantSchema.safeParse({ ...grantOf(), ...changes }).success).toBe(false);
  });

  test.each([
    'example.com',
    '*.example.com',
    'xn--bcher-kva.example',
    '8.8.8.8',
    '[2606:4700::1111]',
    'a_b.example.com',
  ])('takes the host %s', (host) => {
    expect(egressGrantSchema.parse(grantOf({ host })).host).toBe(host);
  });
});

describe('the signatures of a grant', () => {
  test('are those of as many different enrolled keys as the threshold says', () => {
    const [keys, grant] = [twoOfTwo(), grantOf()];
    expect(signatureProblem(signed(grant, ann, bob), keys)).toBeNull();
    for (const signers of [[ann], [ann, ann], [ann, eve], []]) {
      expect(signatureProblem(signed(grant, ...signers), keys)).toContain('of 2 signatures');
    }
  });

  test('are under this very document', () => {
    const keys = twoOfTwo();
    const { grant, signatures } = signed(grantOf(), ann, bob);
    for (const changes of [{ maxUses: 3 }, { host: 'evil.example.com' }, { expires: 3_600_001 }]) {
      const problem = signatureProblem({ grant: { ...grant, ...changes }, signatures }, keys);
      expect(problem).toContain('0 of 2');
    }
  });

  test('of a revoked key no longer count, and a later threshold counts for earlier grants', () => {
    const grant = signed(grantOf(), ann);
    const keys = new OperatorKeys();
    const give = (change: Parameters<typeof keyChangeEvent>[0]) =>
      keys.apply(keyChangeEvent(change), { sequence: 1, timeMs: 1 });
    expect(signatureProblem(grant, keys)).toContain('No operator is enrolled');
    give(enrolment('ann', ann));
    give(enrolment('bob', bob, [ann]));
    expect(signatureProblem(grant, keys)).toBeNull();
    give(statement({ type: 'threshold', threshold: 2 }, [ann]));
    expect(signatureProblem(grant, keys)).toContain('1 of 2');
    give(statement({ type: 'threshold', threshold: 1 }, [ann, bob]));
    expect(signatureProblem(grant, keys)).toBeNull();
    give(statement({ type: 'revoke', name: 'ann', reason: 'lost' }, [bob]));
    expect(signatureProblem(grant, keys)).toContain('0 of 1');
  });
});

describe('the book of grants', () => {
  const at = (timeMs: number) => ({ sequence: timeMs, timeMs });
  function bookWith(changes: Partial<EgressGrant> = {}) {
    const book = new GrantBook();
    const grant = signed(grantOf(changes), ann);
    book.apply(grantIssuedEvent(grant), at(10));
    return { book, grant, id: grantId(grant.grant) };
  }
  const used = (grant: string, use: string) => ({ type: 'grant-used', grant, use });

  test('counts each use once, however often it is told', () => {
    const { book, id } = bookWith();
    for (const use of ['a', 'a', 'b', 'a']) book.apply(used(id, use), at(20));
    book.apply(used('another', 'c'), at(20));
    const issued = book.find(id);
    expect(issued?.used).toBe(2);
    expect(issued && usesLeft(issued)).toBe(0);
    expect([book.isCharged(id, 'b'), book.isCharged(id, 'c')]).toEqual([true, false]);
  });

  test('the same document is issued once, also after it was revoked', () => {
    const { book, grant, id } = bookWith();
    book.apply(used(id, 'a'), at(11));
    book.apply({ type: 'grant-revoked', grant: id, reason: 'no more' }, at(12));
    book.apply(grantIssuedEvent(grant), at(13));
    expect(book.find(id)).toMatchObject({ used: 1, revoked: { reason: 'no more', at: 12 } });
    expect(book.open(20)).toEqual([]);
  });

  test('is open from its beginning to its end', () => {
    const { book } = bookWith({ notBefore: 50, expires: 90 });
    expect([49, 50, 89, 90].map((now) => book.open(now).length)).toEqual([0, 1, 1, 0]);
  });

  test('forgets what has expired, and is bounded by refusing', () => {
    const book = new GrantBook();
    for (let index = 0; index <= limits.grantsMax; index += 1) {
      book.apply(grantIssuedEvent(signed(grantOf({ expires: 100 }), ann)), at(1));
    }
    expect(book.all()).toHaveLength(limits.grantsMax);
    expect([book.hasRoom(99), book.hasRoom(100)]).toEqual([false, true]);
    expect(book.all()).toEqual([]);
    book.apply(grantIssuedEvent(signed(grantOf({ expires: 100 }), ann)), at(100));
    expect(book.all()).toEqual([]);
  });

  test('goes on from what it had come to', () => {
    const { book, id } = bookWith();
    book.apply(used(id, 'a'), at(11));
    const again = new GrantBook();
    again.restore(JSON.parse(JSON.stringify(book.toJson())));
    expect(again.all()).toEqual(book.all());
    expect(again.isCharged(id, 'a')).toBe(true);
  });
});
