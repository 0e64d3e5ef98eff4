/**
 * Goal: the http actuator reaches what was granted, as it was granted, and never
 * this machine or the network around it. Method: real servers and real
 * connections in a network namespace where public-looking addresses are ours,
 * beside canaries on the loopback addresses that count connections.
 */
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { inPublicNetwork } from './public-network.ts';

interface Scenario {
  readonly outcome: { readonly code?: string; readonly [field: string]: unknown };
  readonly received: readonly {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }[];
  readonly permits: readonly string[];
  readonly lookups: readonly string[];
}

let result: {
  readonly scenarios: Readonly<Record<string, Scenario>>;
  readonly attacked: Readonly<Record<string, Scenario>>;
  readonly refusals: readonly string[];
  readonly canaryConnections: number;
  readonly turns: number;
};

beforeAll(async () => {
  const said = await inPublicNetwork(new URL('./http-scenarios.ts', import.meta.url), {
    environment: {
      NODE_EXTRA_CA_CERTS: fileURLToPath(new URL('./fixtures/ca.pem', import.meta.url)),
      // Whoever follows it reaches a canary.
      HTTP_PROXY: 'http://127.0.0.1:9',
      HTTPS_PROXY: 'http://127.0.0.1:9',
      NODE_USE_ENV_PROXY: '1',
    },
  });
  result = JSON.parse(said);
}, 120_000);

function scenario(name: string): Scenario {
  const found = result.scenarios[name];
  if (found === undefined) throw new Error(`there is a scenario ${name}`);
  return found;
}

describe('a granted request', () => {
  test('brings status, chosen headers and text', () => {
    const { outcome, received, permits } = scenario('plain');
    expect(outcome).toMatchObject({
      status: 200,
      body: 'hello /a/b',
      encoding: 'utf8',
      redirects: 0,
    });
    expect(Object.keys(outcome.headers as object).toSorted()).toEqual(['content-type', 'date']);
    expect(permits).toEqual(['0 GET 8.8.8.8/a/b']);
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({ method: 'GET', url: '/a/b?q=1' });
    expect(received[0]?.headers).toMatchObject({ 'x-own': 'mine', connection: 'close' });
    expect(received[0]?.headers).not.toHaveProperty('cookie');
    expect(received[0]?.headers).not.toHaveProperty('idempotency-key');
  });

  test('of which only the head is asked has no body', () => {
    expect(scenario('head').outcome).toMatchObject({ status: 200, body: '' });
  });

  test('that sends carries its body and the key of its intention', () => {
    const { outcome, received } = scenario('post');
    expect(outcome).toMatchObject({ status: 200 });
    expect(received[0]).toMatchObject({ method: 'POST', body: '{"a":1}' });
    expect(received[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}:run\/writer:1:0$/);
    expect(scenario('remove').received[0]).toMatchObject({ method: 'DELETE', body: '' });
  });

  test('brings bytes that are no text in base64, and text in its charset', () => {
    expect(scenario('binary').outcome).toMatchObject({ body: '//4AAQ==', encoding: 'base64' });
    expect(scenario('latin').outcome).toMatchObject({ body: 'é', encoding: 'utf8' });
    expect(scenario('packed').outcome).toMatchObject({ body: 'unpacked' });
  });

  test('goes by name to the address that was looked up once', () => {
    expect(scenario('named')).toMatchObject({
      outcome: { status: 200 },
      lookups: ['api.example.com'],
    });
    expect(scenario('version6').outcome).toMatchObject({ status: 200, body: 'hello /six' });
  });

  test('is secured for its name, and for no other', () => {
    expect(scenario('secure').outcome).toMatchObject({ status: 200, body: 'hello /tls' });
    for (const name of ['otherName', 'noName']) {
      expect(scenario(name)).toMatchObject({ outcome: { code: 'EGRESS_FAILED' }, received: [] });
    }
  });

  test.each([
    ['large', 'EGRESS_TOO_LARGE'],
    ['bomb', 'EGRESS_TOO_LARGE'],
    ['headers', 'EGRESS_TOO_LARGE'],
    ['broken', 'EGRESS_FAILED'],
    ['unknown', 'EGRESS_FAILED'],
    ['loop', 'EGRESS_FAILED'],
    ['refusedSend', 'EGRESS_FAILED'],
    ['brokenSend', 'OUTCOME_UNKNOWN'],
  ])('whose answer is bad is an error, never a shorter answer: %s', (name, code) => {
    expect(scenario(name).outcome.code).toBe(code);
  });

  test('ends with its intention', () => {
    for (const name of ['stopped', 'unnamed']) {
      expect(scenario(name).outcome.message, name).toContain('TimeoutError');
    }
  });
});

describe('a redirect', () => {
  test('is a request of its own, which needs a grant of its own', () => {
    expect(scenario('redirected')).toMatchObject({
      outcome: { status: 200, body: 'hello /there', redirects: 1 },
      permits: ['0 GET 8.8.8.8/redirect', '1 GET 8.8.8.8/there'],
    });
    expect(scenario('loop').permits).toHaveLength(6);
  });

  test('of what was sent is not followed', () => {
    const { outcome, received } = scenario('sendRedirected');
    expect(outcome).toMatchObject({ status: 307, headers: { location: '/there' } });
    expect(received).toHaveLength(1);
  });

  test('within its origin keeps the credentials', () => {
    const { received } = scenario('credentials');
    expect(received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer canary-secret-of-the-vault',
      'Bearer canary-secret-of-the-vault',
    ]);
  });

  test('to another origin, and back, carries neither credentials nor headers of the caller', () => {
    const { outcome, received } = scenario('otherOrigin');
    expect(outcome).toMatchObject({ status: 200, body: 'hello /back', redirects: 2 });
    const [first, ...others] = received.map(({ headers }) => headers);
    expect(first).toMatchObject({ authorization: expect.any(String), 'x-own': 'mine' });
    expect(others).toHaveLength(2);
    for (const headers of others) {
      expect(headers).not.toHaveProperty('authorization');
      expect(headers).not.toHaveProperty('x-own');
      expect(headers.accept).toBe('text/plain');
    }
  });
});

describe('what was not granted', () => {
  test('is neither looked up nor connected to', () => {
    expect(scenario('notGranted')).toMatchObject({
      outcome: { code: 'EGRESS_NOT_GRANTED' },
      lookups: [],
      received: [],
    });
  });
});

describe('a request for the inside', () => {
  test('is refused in every notation, by every way, and reaches no canary', () => {
    const outcomes = Object.entries(result.attacked);
    expect(outcomes).toHaveLength(25 * 7);
    for (const [name, { outcome }] of outcomes) {
      // The name that changes its mind is public every other time; nothing listens there.
      const code = name.startsWith('rebinding')
        ? /^EGRESS_(?:ADDRESS_REFUSED|FAILED)$/
        : /^EGRESS_(?:ADDRESS|URL)_REFUSED$/;
      expect(outcome.code, name).toMatch(code);
    }
    expect(result.canaryConnections).toBe(0);
  });

  test('by a name that changes its mind is judged by the one answer that is connected to', () => {
    // One lookup a request: seven requests, seven answers.
    expect(result.turns).toBe(7);
  });

  test('is told of, so that it can be journaled', () => {
    const refused = Object.values(result.attacked).filter(({ outcome }) =>
      outcome.code?.endsWith('REFUSED'),
    );
    expect(result.refusals).toHaveLength(refused.length);
    expect(result.refusals.length).toBeGreaterThan(150);
  });

  test('by a literal is refused before anybody is asked to grant it', () => {
    const literal = result.attacked.decimal;
    expect(literal).toMatchObject({ permits: [], lookups: [] });
    expect(result.attacked.inside?.permits).toHaveLength(1);
  });
});
