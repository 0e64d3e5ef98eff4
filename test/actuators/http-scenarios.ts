/**
 * Requests of the http actuator against servers on public-looking addresses,
 * for `http-network.test.ts`. Prints, as JSON, what came of each scenario, what
 * the servers were sent, and how many connections reached the canaries.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Operation } from '../../src/actuators/actuator.ts';
import { type EgressPermit, type HttpPorts, httpActuator } from '../../src/actuators/http.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';
import { actuatorContext } from './actuator-context.ts';

const secret = 'canary-secret-of-the-vault';
const subject = { agent: 'reader', pipeline: 'desk' };
const received: {
  method?: string;
  url?: string;
  headers: IncomingMessage['headers'];
  body: string;
}[] = [];
let canaryConnections = 0;

async function listen(server: ReturnType<typeof createTcpServer>, host: string): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

/** Whoever connects to it has been let through. */
async function canary(host: string): Promise<number> {
  const server = createTcpServer((socket) => {
    canaryConnections += 1;
    socket.destroy();
  });
  return listen(server, host);
}

const canaryPort = await canary('127.0.0.1');
const canaryPort6 = await canary('::1');

function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://x');
  const to = url.searchParams.get('to');
  switch (url.pathname) {
    case '/redirect':
      response
        .writeHead(Number(url.searchParams.get('status') ?? 302), {
          // What no header takes as it is comes percent-encoded, which a URL reads the same.
          location: (to ?? '').replace(/[^\x20-\x7e]/gu, (character) => encodeURI(character)),
        })
        .end();
      return;
    case '/loop':
      response.writeHead(302, { location: '/loop' }).end();
      return;
    case '/large':
      response.end(Buffer.alloc(limits.httpBodyBytesMax + 1, 'x'));
      return;
    case '/bomb':
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(gzipSync(Buffer.alloc(50 * 2 ** 20)));
      return;
    case '/packed':
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/plain' });
      response.end(gzipSync('unpacked'));
      return;
    case '/headers':
      response.writeHead(200, { 'x-large': 'x'.repeat(limits.httpHeaderBytesMax + 1) }).end();
      return;
    case '/break':
      response.writeHead(200, { 'content-length': '100' });
      response.write('part');
      setTimeout(() => response.destroy(), 20);
      return;
    case '/silent':
      return;
    case '/binary':
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      response.end(Buffer.from([0xff, 0xfe, 0, 1]));
      return;
    case '/latin':
      response.writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' });
      response.end(Buffer.from([0xe9]));
      return;
    default:
      response.writeHead(200, { 'content-type': 'text/plain', 'set-cookie': 'a=b', 'x-own': '1' });
      response.end(`hello ${url.pathname}`);
  }
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  let body = '';
  request.on('data', (part) => {
    body += part;
  });
  request.on('end', () => {
    const { method = '', url = '', headers } = request;
    received.push({ method, url, headers, body });
    answer(request, response);
  });
}

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const certificate = { key: fixture('server.key'), cert: fixture('server.pem') };
const port = await listen(createServer(serve), '8.8.8.8');
const otherPort = await listen(createServer(serve), '9.9.9.9');
const securePort = await listen(createSecureServer(certificate, serve), '8.8.8.8');
const port6 = await listen(createServer(serve), '2606:4700::1111').catch(() => 0);

const lookups: string[] = [];
let turn = 0;
const names: Record<string, () => string[]> = {
  'api.example.com': () => ['8.8.8.8'],
  'other.example.com': () => ['8.8.8.8'],
  'inside.example.com': () => ['127.0.0.1'],
  'inside6.example.com': () => ['::1'],
  'mapped.example.com': () => ['::ffff:127.0.0.1'],
  'mixed.example.com': () => ['8.8.8.8', '127.0.0.1'],
  'zone.example.com': () => ['fe80::1%lo'],
  // Another answer each time that it is asked.
  'rebinding.example.com': () => [turn++ % 2 === 0 ? '8.8.8.8' : '127.0.0.1'],
  'none.example.com': () => [],
};

const permits: string[] = [];
let allow = true;
let credentials: EgressPermit['credentials'] = [];
const refusals: string[] = [];
const ports: HttpPorts = {
  permit: async ({ request, hop }) => {
    permits.push(`${hop} ${request.method} ${request.host}${request.path}`);
    if (!allow) throw new RuntimeError('EGRESS_NOT_GRANTED', 'Nobody granted it.');
    return { grant: 'g', bytesMax: limits.httpBodyBytesMax, credentials };
  },
  refused: ({ code }) => refusals.push(code),
  secret: () => secret,
  resolver: async (host) => {
    lookups.push(host);
    if (host === 'silent.example.com') return new Promise(() => undefined);
    return (names[host]?.() ?? []).map((address) => ({ address }));
  },
};
const { operations } = httpActuator(ports);

interface Call {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function perform(name: 'fetch' | 'send', call: Call, signal?: AbortSignal) {
  const operation = operations[name] as Operation;
  const before = received.length;
  const started = { permits: permits.length, lookups: lookups.length };
  let outcome: unknown;
  try {
    const args = operation.arguments.parse({ ...call, subject });
    const context = actuatorContext('/', signal === undefined ? {} : { signal });
    outcome = operation.result.parse(await operation.perform(args, context));
  } catch (error) {
    outcome = { code: (error as RuntimeError).code ?? String(error), message: String(error) };
  }
  return {
    outcome,
    received: received.slice(before),
    permits: permits.slice(started.permits),
    lookups: lookups.slice(started.lookups),
  };
}

const base = `http://8.8.8.8:${port}`;
const other = `http://9.9.9.9:${otherPort}`;
const redirect = (to: string, status = 302) =>
  `${base}/redirect?status=${status}&to=${encodeURIComponent(to)}`;
const scenarios: Record<string, unknown> = {};

scenarios.plain = await perform('fetch', { url: `${base}/a/b?q=1`, headers: { 'X-Own': 'mine' } });
scenarios.head = await perform('fetch', { url: base, method: 'HEAD' });
scenarios.binary = await perform('fetch', { url: `${base}/binary` });
scenarios.latin = await perform('fetch', { url: `${base}/latin` });
scenarios.packed = await perform('fetch', { url: `${base}/packed` });
scenarios.post = await perform('send', { url: `${base}/items`, body: '{"a":1}' });
scenarios.remove = await perform('send', { url: `${base}/items/1`, method: 'DELETE' });
scenarios.named = await perform('fetch', { url: `http://api.example.com:${port}/named` });
if (port6 !== 0) {
  scenarios.version6 = await perform('fetch', { url: `http://[2606:4700::1111]:${port6}/six` });
}
scenarios.secure = await perform('fetch', { url: `https://api.example.com:${securePort}/tls` });
scenarios.otherName = await perform('fetch', { url: `https://other.example.com:${securePort}/` });
scenarios.noName = await perform('fetch', { url: `https://8.8.8.8:${securePort}/` });
scenarios.unknown = await perform('fetch', { url: 'http://none.example.com/' });
scenarios.large = await perform('fetch', { url: `${base}/large` });
scenarios.bomb = await perform('fetch', { url: `${base}/bomb` });
scenarios.headers = await perform('fetch', { url: `${base}/headers` });
scenarios.broken = await perform('fetch', { url: `${base}/break` });
scenarios.brokenSend = await perform('send', { url: `${base}/break` });
scenarios.refusedSend = await perform('send', { url: 'http://8.8.8.8:1/' });
scenarios.stopped = await perform('fetch', { url: `${base}/silent` }, AbortSignal.timeout(100));
const soon = AbortSignal.timeout(100);
scenarios.unnamed = await perform('fetch', { url: 'http://silent.example.com/' }, soon);
scenarios.loop = await perform('fetch', { url: `${base}/loop` });
scenarios.redirected = await perform('fetch', { url: redirect('/there') });
scenarios.sendRedirected = await perform('send', { url: redirect('/there', 307), body: 'x' });

credentials = [{ secret: 'KEY', header: 'authorization', format: 'Bearer {}' }];
scenarios.credentials = await perform('fetch', { url: redirect('/there') });
scenarios.otherOrigin = await perform('fetch', {
  url: redirect(`${other}/redirect?to=${encodeURIComponent(`${base}/back`)}`),
  headers: { 'x-own': 'mine', accept: 'text/plain' },
});
credentials = [];

allow = false;
scenarios.notGranted = await perform('fetch', { url: `http://api.example.com:${port}/` });
allow = true;

const attacks: Record<string, string> = {
  rebinding: `http://rebinding.example.com:${canaryPort}/`,
  inside: `http://inside.example.com:${canaryPort}/`,
  inside6: `http://inside6.example.com:${canaryPort6}/`,
  mapped: `http://mapped.example.com:${canaryPort}/`,
  mixed: `http://mixed.example.com:${canaryPort}/`,
  zone: `http://zone.example.com:${canaryPort}/`,
  decimal: `http://2130706433:${canaryPort}/`,
  octal: `http://0177.0.0.1:${canaryPort}/`,
  hexadecimal: `http://0x7f000001:${canaryPort}/`,
  short: `http://127.1:${canaryPort}/`,
  dotless: `http://localhost:${canaryPort}/`,
  trailingDot: `http://localhost.:${canaryPort}/`,
  trailingDotAddress: `http://127.0.0.1.:${canaryPort}/`,
  mappedAddress: `http://[::ffff:127.0.0.1]:${canaryPort}/`,
  mappedHexadecimal: `http://[::ffff:7f00:1]:${canaryPort}/`,
  compatible: `http://[::7f00:1]:${canaryPort}/`,
  loopback6: `http://[::1]:${canaryPort6}/`,
  zero: `http://0:${canaryPort}/`,
  zero4: `http://0.0.0.0:${canaryPort}/`,
  zero6: `http://[::]:${canaryPort6}/`,
  translated: `http://[64:ff9b::7f00:1]:${canaryPort}/`,
  wide: `http://１２７.０.０.１:${canaryPort}/`,
  userinfo: `http://8.8.8.8@127.0.0.1:${canaryPort}/`,
  backslash: `http://8.8.8.8\\@127.0.0.1:${canaryPort}/`,
  metadata: 'http://169.254.169.254/latest/meta-data/',
};
const attacked: Record<string, unknown> = {};
// The first answer of this name is public: it is connected to, and nothing listens there.
for (const [name, url] of Object.entries(attacks)) {
  attacked[name] = await perform('fetch', { url });
  attacked[`${name}, sent`] = await perform('send', { url, body: 'x' });
  for (const status of [301, 302, 303, 307, 308]) {
    attacked[`${name}, redirect ${status}`] = await perform('fetch', {
      url: redirect(url, status),
    });
  }
}

const result = { scenarios, attacked, refusals, canaryConnections, turns: turn };
process.stdout.write(JSON.stringify(result), () => process.exit(0));
