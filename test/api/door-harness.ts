/** An API over a runtime in memory, a real file of tokens, and requests that no client library would send. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ApiRefusal } from '../../src/api/refusals.ts';
import { type ApiOptions, type ApiServer, startApi } from '../../src/api/server.ts';
import { AccessFile, changeAccess } from '../../src/identity/access-file.ts';
import { withAccess, withoutAccess } from '../../src/identity/access-list.ts';
import type { AccessRole } from '../../src/identity/access-rights.ts';
import { mintAccessToken } from '../../src/identity/access-token.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { InMemoryRuntime } from './in-memory-runtime.ts';

export interface DoorUnderTest {
  readonly api: ApiServer;
  readonly runtime: InMemoryRuntime;
  readonly folder: string;
  readonly clock: ManualClock;
  readonly refusals: ApiRefusal[];
  readonly faults: unknown[];
  /** Makes a token as `claw access add` does, and gives it back. */
  add(name: string, roles: readonly AccessRole[], lifeMs?: number): Promise<string>;
  remove(name: string): Promise<void>;
  /** One request as text, and the whole answer as text. */
  raw(lines: readonly string[], body?: string): Promise<string>;
  get(path: string, token?: string, headers?: Record<string, string>): Promise<Response>;
  post(path: string, body: unknown, token?: string): Promise<Response>;
}

export async function openDoor(
  options: Partial<ApiOptions> = {},
  prepare: (folder: string) => Promise<void> = async () => undefined,
): Promise<DoorUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'claw-door-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await prepare(folder);
  const runtime = new InMemoryRuntime();
  const clock = new ManualClock(1_000);
  const refusals: ApiRefusal[] = [];
  const faults: unknown[] = [];
  const api = await startApi({
    runtime,
    host: '127.0.0.1',
    port: 0,
    tokens: new AccessFile(folder),
    dataDirectory: folder,
    clock,
    onRefusal: (event) => refusals.push(event),
    onFault: (error) => faults.push(error),
    ...options,
  });
  onTestFinished(() => api.close());
  return {
    api,
    runtime,
    folder,
    clock,
    refusals,
    faults,
    add: (name, roles, lifeMs) => addToken(folder, { name, roles, clock, lifeMs: lifeMs ?? null }),
    remove: (name) => changeAccess(folder, (list) => withoutAccess(list, name)),
    raw: (lines, body) => rawRequest(api.port, lines, body),
    get: (path, token, headers = {}) =>
      fetch(`${api.url}${path}`, { headers: { ...bearer(token), ...headers } }),
    post: (path, body, token) =>
      fetch(`${api.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...bearer(token) },
        body: JSON.stringify(body),
      }),
  };
}

async function addToken(
  folder: string,
  {
    name,
    roles,
    clock,
    lifeMs,
  }: {
    name: string;
    roles: readonly AccessRole[];
    clock: ManualClock;
    lifeMs: number | null;
  },
): Promise<string> {
  const token = mintAccessToken();
  const createdAt = clock.nowMs();
  const expiresAt = lifeMs === null ? null : createdAt + lifeMs;
  await changeAccess(folder, (list) =>
    withAccess(list, { name, roles, token, createdAt, expiresAt }),
  );
  return token;
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Sends the lines as they are; the server is asked to close, so the answer has an end. */
function rawRequest(port: number, lines: readonly string[], body = ''): Promise<string> {
  return new Promise((settle, fail) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('data', (part) => {
      answer += part;
    });
    socket.on('error', fail);
    socket.on('close', () => settle(answer));
    socket.write(`${[...lines, 'connection: close'].join('\r\n')}\r\n\r\n${body}`);
  });
}

export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
}

/** The code and status of a problem. */
export async function problemOf(response: Response): Promise<[number, string, string]> {
  const { code, detail } = (await response.json()) as { code: string; detail: string };
  return [response.status, code, detail];
}
