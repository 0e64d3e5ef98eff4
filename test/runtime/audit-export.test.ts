/** What goes out, in which form, to receivers that are really there. */
import { createSocket } from 'node:dgram';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { AuditEvent } from '../../src/identity/audit-event.ts';
import { type AuditFormat, auditFormats } from '../../src/runtime/audit-export-format.ts';
import { sendLines } from '../../src/runtime/audit-export-target.ts';
import { AuditExports } from '../../src/runtime/audit-exports.ts';
import { appendAuditEvents } from '../../src/runtime/audit-log.ts';
import { readExportBatch } from '../../src/runtime/export-batch.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { addEvent, addRun, auditedJournal } from './audited-journal.ts';

const canary = 'CANARY-in-a-document';
const origin = 'openclaw/journal/test';

function batchOf(data: string, format: AuditFormat, after = 0) {
  return readExportBatch({ dataDirectory: data, after, until: null, format, origin });
}

const events: AuditEvent[] = [
  { type: 'quarantined', run: 'r', actor: 'a', code: 'TEST', message: 'why' },
  { type: 'quarantine-released', run: 'r', actor: 'a', sequence: 3 },
  { type: 'token-refused', run: 'r', actor: 'a', code: 'TOKEN_EXPIRED' },
  { type: 'api-refused', code: 'UNAUTHORIZED' },
  { type: 'authority-opened' },
  { type: 'intention-refused', run: 'r', actor: 'a', operation: 'http.get', code: 'X' },
  { type: 'egress-refused', actor: 'a' },
  { type: 'grant-issued', operator: 'ada' },
  { type: 'key-enrolled', operator: 'ada' },
  { type: 'key-revoked', operator: 'ada' },
  { type: 'sandbox-degraded', layers: ['seccomp'] },
  { type: 'something-new' },
];

function exported() {
  const { data } = auditedJournal();
  addRun(data, [canary, `${canary} ${'x'.repeat(400)}`]);
  appendAuditEvents(data, events);
  return data;
}

/** What OCSF 1.3 requires of the classes that are used. */
const uid = z.number().int().nonnegative();
const base = z.looseObject({
  category_uid: uid,
  class_uid: uid,
  activity_id: uid,
  type_uid: uid,
  severity_id: z.number().int().min(0).max(6),
  time: z.number().int().positive(),
  status_id: uid,
  metadata: z.looseObject({
    version: z.literal('1.3.0'),
    product: z.looseObject({ name: z.string(), vendor_name: z.string(), version: z.string() }),
    uid: z.string().min(1),
  }),
});
const user = z.looseObject({ name: z.string().min(1) });
const classes = {
  2004: base.extend({
    category_uid: z.literal(2),
    finding_info: z.looseObject({ uid: z.string().min(1), title: z.string().min(1) }),
  }),
  3001: base.extend({ category_uid: z.literal(3), user }),
  3002: base.extend({
    category_uid: z.literal(3),
    user,
    service: z.looseObject({ name: z.string() }),
  }),
  3003: base.extend({ category_uid: z.literal(3), user }),
  6003: base.extend({
    category_uid: z.literal(6),
    actor: z.looseObject({ user }),
    api: z.looseObject({ operation: z.string().min(1) }),
    src_endpoint: z.looseObject({ name: z.string() }),
  }),
} as const;

describe('exported lines', () => {
  test('in OCSF have the fields that their class requires', () => {
    const lines = batchOf(exported(), 'ocsf').lines.map(({ text: line }) => JSON.parse(line));
    const found = new Map<number, number>();
    for (const line of lines) {
      const schema = classes[line.class_uid as keyof typeof classes];
      expect(schema, JSON.stringify(line)).toBeDefined();
      schema.parse(line);
      expect(line.type_uid).toBe(line.class_uid * 100 + line.activity_id);
      found.set(line.class_uid, (found.get(line.class_uid) ?? 0) + 1);
    }
    expect(Object.fromEntries(found)).toMatchObject({ 2004: 2, 3001: 2, 3002: 2, 3003: 2 });
    const refused = lines.find(({ activity_name }) => activity_name === 'token-refused');
    const denied = lines.filter(({ status_id }) => status_id === 2);
    expect(denied.map(({ activity_name }) => activity_name).sort()).toEqual([
      'api-refused',
      'egress-refused',
      'intention-refused',
      'token-refused',
    ]);
    expect(refused).toMatchObject({ status_id: 2, status_code: 'TOKEN_EXPIRED', severity_id: 3 });
  });

  test('in CloudEvents have its attributes, and ids of their own that stay', () => {
    const data = exported();
    const schema = z.strictObject({
      specversion: z.literal('1.0'),
      id: z.string().min(1),
      source: z.literal(`/${origin}`),
      type: z.string().regex(/^openclaw\.(audit\.)?[a-z-]+$/),
      subject: z.string().optional(),
      time: z.iso.datetime(),
      datacontenttype: z.literal('application/json'),
      sequence: z.string().regex(/^\d{16}$/),
      data: z.looseObject({}),
    });
    const { lines, last } = batchOf(data, 'cloudevents');
    const parsed = lines.map(({ text: line }) => schema.parse(JSON.parse(line)));
    expect(new Set(parsed.map(({ id }) => id)).size).toBe(parsed.length);
    const middle = Number(parsed[Math.floor(parsed.length / 2)]?.sequence);
    const rest = batchOf(data, 'cloudevents', middle).lines.map(({ text: line }) =>
      JSON.parse(line),
    );
    expect(rest).toEqual(parsed.filter(({ sequence }) => Number(sequence) > middle));
    expect(batchOf(data, 'cloudevents', last)).toEqual({ lines: [], last });
  });

  test('say who wanted what and what came of it, and no text of a run', () => {
    const data = exported();
    const lines = batchOf(data, 'cloudevents').lines.map(({ text: line }) => JSON.parse(line));
    const asked = lines.filter(({ type }) => type === 'openclaw.effect-requested');
    const answered = lines.filter(({ type }) => type === 'openclaw.effect-answered');
    expect(asked.length).toBeGreaterThanOrEqual(2);
    expect(answered.map(({ data: { key } }) => key).sort()).toEqual(
      asked.map(({ data: { key } }) => key).sort(),
    );
    expect(answered.every(({ data: { operation } }) => operation !== 'unknown')).toBe(true);
    for (const format of auditFormats) {
      expect(JSON.stringify(batchOf(data, format))).not.toContain('CANARY');
    }
  });
});

async function listening() {
  const bodies: { type: string; body: string }[] = [];
  let failing = 0;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (failing > 0) {
        failing -= 1;
        response.writeHead(503).end();
        return;
      }
      bodies.push({ type: request.headers['content-type'] ?? '', body });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/audit`;
  return { bodies, url, fail: (times: number) => (failing = times) };
}

const still = new AbortController().signal;
const someLines = [
  { text: '{"a":1}', timeMs: 1_767_225_600_000 },
  { text: '{"b":"ü"}', timeMs: 1_767_225_600_001 },
];

describe('a receiver', () => {
  test('by HTTP gets a batch in the type of its format', async () => {
    const { bodies, url } = await listening();
    await sendLines(url, 'cloudevents', someLines, still);
    await sendLines(url, 'ocsf', someLines, still);
    expect(bodies).toEqual([
      { type: 'application/cloudevents-batch+json', body: '[{"a":1},{"b":"ü"}]' },
      { type: 'application/x-ndjson', body: '{"a":1}\n{"b":"ü"}\n' },
    ]);
  });

  test('by syslog over UDP gets a message of RFC 5424 for each line', async () => {
    const socket = createSocket('udp4');
    const messages: string[] = [];
    socket.on('message', (message) => messages.push(message.toString('utf8')));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    onTestFinished(() => void socket.close());
    const both = new Promise<void>((resolve) =>
      socket.on('message', () => messages.length === 2 && resolve()),
    );
    await sendLines(`syslog:127.0.0.1:${socket.address().port}`, 'ocsf', someLines, still);
    await both;
    expect(messages[0]).toMatch(
      /^<110>1 2026-01-01T00:00:00\.000Z \S+ openclaw \d+ audit - \{"a":1\}$/,
    );
  });

  test('by syslog over TCP gets counted octets', async () => {
    const { promise: received, resolve } = Promise.withResolvers<string>();
    const server = createTcpServer((socket) => void text(socket).then(resolve));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    await sendLines(`syslog+tcp:127.0.0.1:${port}`, 'ocsf', someLines, still);
    let rest = Buffer.from(await received);
    const found: string[] = [];
    while (rest.length > 0) {
      const space = rest.indexOf(' ');
      const end = space + 1 + Number(rest.toString('latin1', 0, space));
      found.push(rest.toString('utf8', space + 1, end));
      rest = rest.subarray(end);
    }
    expect(found.map((message) => message.split(' - ')[1])).toEqual(['{"a":1}', '{"b":"ü"}']);
  });

  test('that is not there, or refuses, is an error with a code', async () => {
    const { url, fail } = await listening();
    fail(1);
    await expect(sendLines(url, 'ocsf', someLines, still)).rejects.toMatchObject({
      code: 'AUDIT_EXPORT_FAILED',
    });
    const nowhere = join(temporaryFolder(), 'no', 'file');
    await expect(sendLines(nowhere, 'ocsf', someLines, still)).rejects.toMatchObject({
      code: 'AUDIT_EXPORT_FAILED',
    });
  });
});

describe('an export of a running system', () => {
  test('goes on where it was, tells all of it, and again what was not taken', async () => {
    const { data } = auditedJournal();
    addRun(data, ['a']);
    addEvent(data, 'first');
    const { bodies, url, fail } = await listening();
    fail(1);
    const notices: string[] = [];
    const told = () =>
      bodies.flatMap(({ body }) => JSON.parse(body).map(({ id }: { id: string }) => id));
    const serveUntil = async (count: number) => {
      const follower = new JournalFollower(data);
      follower.advance();
      const exports = new AuditExports({
        dataDirectory: data,
        targets: [{ format: 'cloudevents', to: url }],
        follower,
        onNotice: (notice) => notices.push(notice),
      });
      exports.start();
      await expect.poll(() => told().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count);
      await expect
        .poll(() => readdirSync(join(data, 'audit')).some((name) => name.startsWith('cursor-')))
        .toBe(true);
      await exports.stop();
      follower.close();
    };
    const all = () =>
      batchOf(data, 'cloudevents').lines.map(({ text: line }) => JSON.parse(line).id);
    await serveUntil(all().length);
    expect(told()).toEqual(all());
    expect(notices).toEqual([
      expect.stringContaining('status 503'),
      expect.stringContaining('takes records again'),
    ]);
    addEvent(data, 'second');
    await serveUntil(all().length);
    expect(told()).toEqual(all());
    const cursor = readdirSync(join(data, 'audit')).find((name) => name.endsWith('.json')) ?? '';
    expect(existsSync(join(data, 'audit', cursor))).toBe(true);
    expect(JSON.parse(readFileSync(join(data, 'audit', cursor), 'utf8'))).toMatchObject({
      to: url,
    });
  });
});
