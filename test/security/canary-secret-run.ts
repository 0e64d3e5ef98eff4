/**
 * A whole runtime whose agent uses a secret that it never sees, for
 * `canary-secret.test.ts`: an agent asks a server on a public-looking address;
 * people approve it, after a restart, with a secret of the vault; the server
 * sends the secret back in every dress. Then everything that anybody could read
 * is searched for it. Prints what was found, as JSON.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startApi } from '../../src/api/server.ts';
import type { EgressGrant } from '../../src/identity/egress-grant.ts';
import { generateKeyPair } from '../../src/identity/signing-key.ts';
import { Vault } from '../../src/identity/vault.ts';
import { decodeText, storedTextOf } from '../../src/journal/blob-record.ts';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import type { ReadableRecord } from '../../src/journal/record.ts';
import { RunKeys } from '../../src/journal/run-keys.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { startRuntime } from '../../src/runtime/start-runtime.ts';
import { enrolment, grantOf, signed } from '../identity/operators.ts';

const secret = 'canary/secret+of the="vault"-4711';
const passphrase = 'canary-passphrase-of-the-vault';
const bytes = Buffer.from(secret);
const traces: readonly (readonly [string, Buffer])[] = [
  ['the secret', bytes],
  ['its JSON', Buffer.from(JSON.stringify(secret).slice(1, -1))],
  ['its URL form', Buffer.from(encodeURIComponent(secret))],
  ['its base64', Buffer.from(bytes.toString('base64').replace(/=+$/, '').slice(0, -1))],
  ['its hexadecimal form', Buffer.from(bytes.toString('hex'))],
  ['its UTF-16', Buffer.from(secret, 'utf16le')],
  ['the passphrase', Buffer.from(passphrase)],
];

const seen: { method: string; path: string; authorization: string | null }[] = [];
const server = createServer((request, response) => {
  const { method = '', url = '', headers } = request;
  const path = url.split('?')[0] ?? '';
  const { authorization = '' } = headers;
  seen.push({ method, path, authorization: headers.authorization ?? null });
  const dresses = [
    authorization,
    JSON.stringify({ authorization }),
    encodeURIComponent(authorization),
    Buffer.from(authorization).toString('base64'),
    Buffer.from(authorization).toString('hex'),
  ];
  if (path.endsWith('/redirect')) {
    const location = `/items/after?echo=${encodeURIComponent(secret)}`;
    response.writeHead(302, { location }).end();
    return;
  }
  response.writeHead(path.endsWith('/error') ? 500 : 200, {
    'content-type': 'text/plain',
    etag: JSON.stringify(dresses[3]),
    link: `<https://example.com/?${dresses[2]}>`,
    'x-request-id': Buffer.from(dresses[0] ?? '').toString('hex'),
  });
  response.end(dresses.join('\n'));
});
await new Promise<void>((resolve) => server.listen(0, '8.8.8.8', resolve));
const { port } = server.address() as AddressInfo;

const folder = mkdtempSync(join(tmpdir(), 'openclaw-canary-'));
const dataDirectory = join(folder, 'data');
const input = join(folder, 'input');
mkdirSync(input);
for (const name of ['plain', 'error', 'redirect']) writeFileSync(join(input, `${name}.txt`), name);

const pipeline: JsonObject = {
  name: 'desk',
  agents: {
    reader: {
      prompt: 'Look up: {{document.text}}',
      tools: ['lookup'],
      output: {
        type: 'object',
        properties: {
          tool: { const: 'lookup' },
          args: {
            type: 'object',
            properties: { item: { enum: ['plain', 'error', 'redirect'] } },
            required: ['item'],
          },
        },
        required: ['tool', 'args'],
      },
    },
    writer: {
      prompt: 'Store: {{document.text}}',
      tools: ['store'],
      output: {
        type: 'object',
        properties: { tool: { const: 'store' }, args: { type: 'object', properties: {} } },
        required: ['tool', 'args'],
      },
    },
  },
  tools: {
    lookup: {
      actuator: 'http',
      operation: 'fetch',
      parameters: ['item'],
      arguments: { url: `http://8.8.8.8:${port}/items/{{item}}` },
    },
    store: {
      actuator: 'http',
      operation: 'send',
      parameters: [],
      arguments: { url: `http://8.8.8.8:${port}/items/stored`, method: 'PUT', body: 'kept' },
    },
  },
  steps: [
    { id: 'read', agent: 'reader', map: 'documents' },
    { id: 'store', agent: 'writer', map: 'documents', needs: ['read'] },
    {
      id: 'report',
      needs: ['store'],
      when: 'always',
      write: {
        path: 'report.md',
        template: '{{#items}}{{steps.read.output.result.body}}\n{{/items}}',
      },
    },
  ],
  report: 'report.md',
};

process.env.OPENCLAW_VAULT_PASSPHRASE = passphrase;
Vault.set(dataDirectory, passphrase, { name: 'KEY', value: secret, nowMs: Date.now() });

const said: string[] = [];
function start(): Promise<Runtime> {
  return startRuntime(
    {
      dataDirectory,
      host: '127.0.0.1',
      port: 0,
      model: {},
      deterministic: true,
      journal: 'durable',
      debug: false,
      approvals: { waitSeconds: 600 },
      vaultPassphrase: passphrase,
    },
    { onNotice: (text) => said.push(text), onFailure: (error) => said.push(String(error)) },
  );
}

async function untilTrue(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries += 1) {
    if (tries > 600) throw new Error('it does not come about');
    await sleep(50);
  }
}

const ann = generateKeyPair();
let runtime = await start();
const { operators } = runtime.security;
const proof = readFileSync(operators.keys().enrolmentProof ?? '', 'utf8');
const soon = { expires: Date.now() + 3_600_000 };
await operators.changeKeys(enrolment('ann', ann, [], soon), proof);
const { id } = await runtime.startRun({ pipeline, input: { folder: input }, seed: 3 });
await untilTrue(() => runtime.security.operators.approvals().length > 0);
const waitedBefore = runtime.security.operators.approvals();
await runtime.stop();

runtime = await start();
const api = await startApi({ runtime, host: '127.0.0.1', port: 0 });
const waitedAfter = runtime.security.operators.approvals();
const terms = {
  scheme: 'http',
  host: '8.8.8.8',
  port,
  pathPrefix: '/items',
  maxUses: 100,
  notBefore: Date.now() - 1_000,
  expires: Date.now() + 3_600_000,
  credentials: [{ secret: 'KEY', header: 'authorization', format: 'Bearer {}' }],
} satisfies Partial<EgressGrant>;
const [first] = waitedAfter;
if (first === undefined) throw new Error('something waits');
await runtime.security.operators.approve(first.id, signed(grantOf(terms), ann));
const writer = { agent: 'writer', pipeline: 'desk' };
const writing = grantOf({ ...terms, subject: writer, methods: ['PUT'] });
await runtime.security.operators.issueGrant(signed(writing, ann));
const run = await runtime.ended(id);

/** Where each trace of the secret was found. */
const found: string[] = [];
function search(where: string, content: Uint8Array | string): void {
  const buffer = Buffer.from(content as Uint8Array);
  for (const [name, trace] of traces) if (buffer.includes(trace)) found.push(`${name} in ${where}`);
}

// Answers of the API, which the command prints too.
const paths = [
  '/healthz',
  '/v1/runs',
  `/v1/runs/${id}`,
  `/v1/runs/${id}/events?limit=1000`,
  `/v1/runs/${id}/effects`,
  `/v1/runs/${id}/interventions`,
  '/v1/grants',
  '/v1/approvals',
  '/v1/keys',
  '/v1/bus',
];
let answered = 0;
for (const path of paths) {
  const answer = await fetch(`${api.url}${path}`);
  answered += answer.ok ? 1 : 0;
  search(path, await answer.text());
}
search('notices', said.join('\n'));

// Sandboxes that this process has started: what they were given, and all that they hold.
let memorySearched = 0;
let childrenSearched = 0;
const script = await runtime.sandbox({ source: '1 + 1' });
const children = childrenOf(process.pid);
for (const pid of children) {
  try {
    search(`the environment of ${pid}`, readFileSync(`/proc/${pid}/environ`));
    await searchMemory(pid);
    childrenSearched += 1;
  } catch (error) {
    // One that was used has been killed meanwhile.
    if (!/ENOENT|ESRCH/.test(String(error))) throw error;
  }
}

function childrenOf(parent: number): number[] {
  const own = readdirSync('/proc').flatMap((name) => {
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      return Number(fields[1]) === parent ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
  return own.flatMap((pid) => [pid, ...childrenOf(pid)]);
}

async function searchMemory(pid: number): Promise<void> {
  const memory = await open(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from = '', to = '', mode = ''] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
      if (!mode.startsWith('rw')) continue;
      const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
      const step = 4 * 2 ** 20;
      for (let at = start; at < end; at += step) {
        const chunk = Buffer.alloc(Math.min(step + secret.length * 4, end - at));
        const read = await memory.read(chunk, 0, chunk.length, at).catch(() => ({ bytesRead: 0 }));
        memorySearched += read.bytesRead;
        search(`the memory of ${pid}`, chunk.subarray(0, read.bytesRead));
      }
    }
  } finally {
    await memory.close();
  }
}

await api.close();
const views = runtime.events(id, { from: 1, limit: 1_000 });
const text = JSON.stringify(views);
await runtime.stop();

// The data directory as it lies on the disk, and the journal as its reader reads it.
let files = 0;
for (const entry of readdirSync(dataDirectory, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  files += 1;
  search(entry.name, readFileSync(join(entry.parentPath, entry.name)));
}
let records = 0;
const keys = new RunKeys(dataDirectory);
const cipherOf = ({ encrypted, run: whose }: ReadableRecord) =>
  encrypted === true && whose !== null ? keys.find(whose) : null;
const reader = JournalReader.open(dataDirectory);
for (const group of reader.groups()) {
  for (const record of group) {
    records += 1;
    search(`a record of type ${record.type}`, record.body);
    if (record.type === 'blob')
      search('a text of the journal', decodeText(storedTextOf(record), cipherOf(record)));
  }
}
reader.close();
const readOnly = await openReadOnly(dataDirectory);
const { equal } = await readOnly.replay(id);
await readOnly.close();
rmSync(folder, { recursive: true, force: true });

const result = {
  status: run.status,
  error: run.error,
  waited: [waitedBefore, waitedAfter].map((each) => each.map(({ id: name }) => name)),
  seen,
  found,
  markers: text.split('[secret KEY]').length - 1,
  searched: { answered, children: childrenSearched, memorySearched, files, records },
  script: script.ok,
  equal,
  environmentIsClean: process.env.OPENCLAW_VAULT_PASSPHRASE === undefined,
};
process.stdout.write(JSON.stringify(result), () => process.exit(0));
