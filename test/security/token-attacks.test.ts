/**
 * Goal: no token gets through but the authority's own, for its own execution,
 * by its own agent, once. Method: every known way to talk a verifier into
 * another, against the real verifier of the gateway.
 */
import {
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign as signBytes,
} from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Authority, AuthorityVerifier } from '../../src/identity/authority.ts';
import type { Execution } from '../../src/identity/execution-token.ts';
import { IdentityVerifier } from '../../src/identity/identity-verifier.ts';
import { signIntention } from '../../src/identity/signed-intention.ts';
import { generateKeyPair } from '../../src/identity/signing-key.ts';
import { thumbprint } from '../../src/identity/thumbprint.ts';
import { TokenLedger } from '../../src/identity/token-ledger.ts';
import { actorId, newRunId } from '../../src/kernel/ids.ts';

const pair = generateKeyPairSync('ed25519');
const authority = new Authority(pair);
const card = new AuthorityVerifier(authority.publicKey);
const agent = generateKeyPair();
const run = newRunId();
const actor = actorId('run/document-1/supervisor/triage');
const now = 1_800_000_000;

const execution: Execution = {
  run,
  actor,
  key: `${run}:${actor}:1:0`,
  actuator: 'file',
  operation: 'write',
  arguments: { path: 'a.txt', text: 'x' },
};

const claim = { run, actor, clearance: 'public', now, ttl: 300 };
const certificate = await authority.certify({ ...claim, publicKey: agent.publicKey });
const holder = { thumbprint: thumbprint(agent.publicKey), now };
const token = await authority.permit(execution, holder);

const partsOf = (jwt: string) => jwt.split('.') as [string, string, string];
const decoded = (part: string) =>
  JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
const encoded = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const header = decoded(partsOf(token)[0]);
const payload = decoded(partsOf(token)[1]);

/** A token under any header and claims, signed as told. */
function forged(
  changes: { header?: unknown; payload?: unknown },
  signature: (input: Buffer) => Buffer = (input) => signBytes(null, input, pair.privateKey),
): string {
  const input = `${encoded(changes.header ?? header)}.${encoded(changes.payload ?? payload)}`;
  return `${input}.${signature(Buffer.from(input)).toString('base64url')}`;
}

interface Presented {
  readonly token?: string;
  readonly certificate?: string;
  readonly execution?: Execution;
  readonly signer?: typeof agent;
  readonly at?: number;
}

function admit(presented: Presented, verifier = new IdentityVerifier(card)) {
  const what = { execution, token, certificate, signer: agent, at: now, ...presented };
  const signature = signIntention(what.signer, { ...what.execution, token: what.token });
  const credentials = { certificate: what.certificate, token: what.token, signature };
  return verifier.admit(what.execution, credentials, what.at);
}

const codeOf = (verdict: Awaited<ReturnType<typeof admit>>) =>
  'code' in verdict ? verdict.code : 'admitted';

const stranger = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed448 = generateKeyPairSync('ed448');
const pem = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString();
const raw = Buffer.from(authority.publicKey, 'base64url');
const hmac = (key: string | Buffer) => (input: Buffer) =>
  createHmac('sha256', key).update(input).digest();
const by =
  (key: KeyObject, hash: string | null = null) =>
  (input: Buffer) =>
    signBytes(hash, input, key);
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' });
const text = JSON.stringify(payload);
const signedBy = (key: KeyObject, changes: Parameters<typeof forged>[0]) =>
  forged(changes, by(key));

const forgeries: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['two parts', token.slice(0, token.lastIndexOf('.'))],
  ['four parts', `${token}.${partsOf(token)[2]}`],
  ['five parts, as if encrypted', `${token}.a.b`],
  ['no signature', `${partsOf(token)[0]}.${partsOf(token)[1]}.`],
  ['a signature of zeros', forged({}, () => Buffer.alloc(64))],
  ['signed by a stranger', signedBy(stranger.privateKey, {})],
  [
    'signed by the agent itself',
    forged({}, (input) => Buffer.from(agent.sign(input), 'base64url')),
  ],
  ['alg none', `${encoded({ ...header, alg: 'none' })}.${partsOf(token)[1]}.`],
  ['alg None', `${encoded({ ...header, alg: 'None' })}.${partsOf(token)[1]}.`],
  ['alg none with a signature', forged({ header: { ...header, alg: 'none' } })],
  ['alg absent', forged({ header: { kid: header.kid, typ: header.typ } })],
  ['alg a list', forged({ header: { ...header, alg: ['EdDSA'] } })],
  ['HMAC with the public key, PEM', forged({ header: { ...header, alg: 'HS256' } }, hmac(pem))],
  ['HMAC with the public key, raw', forged({ header: { ...header, alg: 'HS256' } }, hmac(raw))],
  ['HMAC with the empty key', forged({ header: { ...header, alg: 'HS256' } }, hmac(''))],
  ['HMAC under the name EdDSA', forged({}, hmac(raw))],
  ['curve P-256', forged({ header: { ...header, alg: 'ES256' } }, by(p256.privateKey, 'sha256'))],
  ['P-256 under the name EdDSA', forged({}, by(p256.privateKey, 'sha256'))],
  ['curve Ed448', forged({}, by(ed448.privateKey))],
  ['RSA', forged({ header: { ...header, alg: 'RS256' } }, by(rsa.privateKey, 'sha256'))],
  ['RSA-PSS', forged({ header: { ...header, alg: 'PS256' } }, by(rsa.privateKey, 'sha256'))],
  ['alg Ed25519', forged({ header: { ...header, alg: 'Ed25519' } })],
  ['kid of a stranger', signedBy(stranger.privateKey, { header: { ...header, kid: 'x' } })],
  ['kid a path', forged({ header: { ...header, kid: '../../dev/null' } })],
  ['kid an injection', forged({ header: { ...header, kid: "' UNION SELECT 'k" } })],
  ['kid absent', forged({ header: { alg: 'EdDSA', typ: header.typ } })],
  [
    'jwk of a stranger',
    signedBy(stranger.privateKey, { header: { ...header, jwk: jwkOf(stranger.publicKey) } }),
  ],
  ['jwk of the authority', forged({ header: { ...header, jwk: jwkOf(pair.publicKey) } })],
  ['jku', signedBy(stranger.privateKey, { header: { ...header, jku: 'http://127.0.0.1/k' } })],
  ['x5u', signedBy(stranger.privateKey, { header: { ...header, x5u: 'http://127.0.0.1/c' } })],
  ['x5c', signedBy(stranger.privateKey, { header: { ...header, x5c: ['MIIB'] } })],
  ['crit', forged({ header: { ...header, crit: ['exp'] } })],
  ['b64 false', forged({ header: { ...header, b64: false, crit: ['b64'] } })],
  ['zip', forged({ header: { ...header, zip: 'DEF' } })],
  ['another type', forged({ header: { ...header, typ: 'JWT' } })],
  ['the type of a certificate', forged({ header: { ...header, typ: 'agent-certificate+jwt' } })],
  ['a certificate instead', certificate],
  ['nested', forged({ header: { ...header, cty: 'JWT' } })],
  ['claims twice', forged({ payload: `${text.slice(0, -1)},"exp":9999999999}` })],
  ['claims twice, escaped', forged({ payload: `${text.slice(0, -1)},"\\u0065xp":9999999999}` })],
  ['header twice', forged({ header: `{"alg":"none",${JSON.stringify(header).slice(1)}` })],
  ['space in the claims', forged({ payload: text.replace(',', ', ') })],
  ['a byte order mark', forged({ payload: `\uFEFF${text}` })],
  ['claims a list', forged({ payload: `[${text}]` })],
  ['claims null', forged({ payload: 'null' })],
  ['prototype in the claims', forged({ payload: `${text.slice(0, -1)},"__proto__":{}}` })],
  ['stray bits of base64', `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`],
  ['padding', `${token}==`],
  ['standard base64', token.replaceAll('-', '+').replaceAll('_', '/').concat('/')],
  ['a new line', `${token}\n`],
  ['a claim more', forged({ payload: { ...payload, admin: true } })],
  ['another role', forged({ payload: { ...payload, role: 'operator' } })],
  ['no role', forged({ payload: { ...payload, role: undefined } })],
  ['no id', forged({ payload: { ...payload, jti: undefined } })],
  ['no audience', forged({ payload: { ...payload, aud: undefined } })],
  ['audiences', forged({ payload: { ...payload, aud: [payload.aud, 'x'] } })],
  ['no expiry', forged({ payload: { ...payload, exp: undefined } })],
  ['expiry a text', forged({ payload: { ...payload, exp: '9999999999' } })],
  ['a longer life than its ttl', forged({ payload: { ...payload, exp: now + 100_000 } })],
  ['a ttl above the limit', forged({ payload: { ...payload, ttl: 86_400, exp: now + 86_400 } })],
  ['another issuer', forged({ payload: { ...payload, iss: 'urn:openclaw:runtime:x' } })],
  ['no confirmation', forged({ payload: { ...payload, cnf: undefined } })],
  ['too long', forged({ payload: { ...payload, sub: 'a'.repeat(8_000) } })],
];

describe('a forged token', () => {
  test.each(forgeries)('%s is refused', async (name, attempt) => {
    const code = codeOf(await admit({ token: attempt }));
    expect([name, code]).toEqual([name, 'TOKEN_INVALID']);
  });

  test('is told apart from the true one, which gets through', async () => {
    expect(codeOf(await admit({}))).toBe('admitted');
    expect(forged({})).toBe(token);
  });
});

describe('a true token', () => {
  test('counts once', async () => {
    const verifier = new IdentityVerifier(card);
    expect(codeOf(await admit({}, verifier))).toBe('admitted');
    expect(codeOf(await admit({}, verifier))).toBe('TOKEN_REPLAYED');
    expect(await verifier.examine(token, now)).toMatchObject({ code: 'TOKEN_REPLAYED' });
  });

  test('is not used up by a request that is refused', async () => {
    const verifier = new IdentityVerifier(card);
    const other = { ...execution, operation: 'append' };
    expect(codeOf(await admit({ execution: other }, verifier))).toBe('TOKEN_MISMATCH');
    expect(codeOf(await admit({ signer: generateKeyPair() }, verifier))).toBe('SIGNATURE_INVALID');
    expect(codeOf(await admit({}, verifier))).toBe('admitted');
  });

  test.each([
    [now - 6, 'CERTIFICATE_INVALID'],
    [now - 5, 'admitted'],
    [now + 304, 'admitted'],
    [now + 305, 'CERTIFICATE_INVALID'],
  ])('and its certificate at %d: %s', async (at, code) => {
    expect(codeOf(await admit({ at }))).toBe(code);
  });

  test('is refused before and after its own time, whatever the certificate says', async () => {
    const long = await authority.certify({
      ...claim,
      publicKey: agent.publicKey,
      now: now - 1_000,
      ttl: 5_000,
    });
    const at = (when: number) => admit({ certificate: long, at: when });
    expect(await at(now - 6)).toMatchObject({
      code: 'TOKEN_INVALID',
      message: expect.stringContaining('not valid yet'),
    });
    expect(codeOf(await at(now + 305))).toBe('TOKEN_EXPIRED');
    expect(codeOf(await at(now + 304))).toBe('admitted');
  });

  test.each<[string, Partial<Execution>]>([
    ['actuator', { actuator: 'sandbox' }],
    ['operation', { operation: 'append' }],
    ['argument', { arguments: { path: 'a.txt', text: 'y' } }],
    ['argument more', { arguments: { path: 'a.txt', text: 'x', mode: 'w' } }],
    ['intention', { key: `${run}:${actor}:1:1` }],
  ])('is not for another %s', async (_what, change) => {
    const other = { ...execution, ...change };
    expect(codeOf(await admit({ execution: other }))).toBe('TOKEN_MISMATCH');
  });

  test('is not for another agent or run, and not for another key of the same one', async () => {
    const other = generateKeyPair();
    const whose = actorId('run/document-2/supervisor/triage');
    const theirs = await authority.certify({ ...claim, actor: whose, publicKey: other.publicKey });
    const mine = { ...execution, actor: whose };
    expect(codeOf(await admit({ certificate: theirs, signer: other, execution: mine }))).toBe(
      'TOKEN_MISMATCH',
    );
    expect(codeOf(await admit({ certificate: theirs, signer: other }))).toBe('CERTIFICATE_INVALID');
    const renewed = await authority.certify({ ...claim, publicKey: other.publicKey });
    expect(codeOf(await admit({ certificate: renewed, signer: other }))).toBe('TOKEN_MISMATCH');
    const elsewhere = { ...execution, run: newRunId() };
    expect(codeOf(await admit({ execution: elsewhere }))).toBe('CERTIFICATE_INVALID');
  });

  test('does not help without the key: the signature must be its own', async () => {
    expect(codeOf(await admit({ signer: generateKeyPair() }))).toBe('SIGNATURE_INVALID');
    const stolen = { ...execution, token };
    const verifier = new IdentityVerifier(card);
    const signature = signIntention(agent, { ...stolen, token: `${token}x` });
    const credentials = { certificate, token, signature };
    expect(codeOf(await verifier.admit(execution, credentials, now))).toBe('SIGNATURE_INVALID');
  });
});

describe('a certificate', () => {
  test.each<[string, () => string | Promise<string>]>([
    [
      'of another authority',
      () => new Authority(stranger).certify({ ...claim, publicKey: agent.publicKey }),
    ],
    ['that is a token', () => token],
    [
      'with another key in it',
      () => {
        const [head, body, signature] = partsOf(certificate);
        const other = { ...decoded(body), cnf: { jwk: jwkOf(stranger.publicKey) } };
        return `${head}.${encoded(other)}.${signature}`;
      },
    ],
    ['that is nothing', () => ''],
  ])('%s is refused', async (_name, make) => {
    expect(codeOf(await admit({ certificate: await make() }))).toBe('CERTIFICATE_INVALID');
  });
});

describe('the ledger of used tokens', () => {
  test('refuses when it is full of tokens that still count, and forgets what expired', () => {
    const ledger = new TokenLedger({ tokensMax: 2 });
    const ids = [randomUUID(), randomUUID(), randomUUID()] as const;
    expect(ledger.use(ids[0], 100, 50)).toBe(true);
    expect(ledger.use(ids[1], 200, 50)).toBe(true);
    expect(ledger.use(ids[2], 200, 50)).toBe(false);
    expect(ledger.use(ids[0], 100, 50)).toBe(false);
    // The first could still come within the difference of the clocks.
    expect(ledger.use(ids[2], 200, 105)).toBe(false);
    expect(ledger.use(ids[2], 200, 106)).toBe(true);
    expect(ledger.has(ids[1])).toBe(true);
  });
});
