/** The real command as a child process, and what every failure of it has to look like. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import { type ErrorCode, errorCatalogue } from '../../src/kernel/errors.ts';

export const projectRoot = resolve(import.meta.dirname, '../..');
const launcher = join(projectRoot, 'bin/claw.js');
const childMsMax = 50_000;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClawSetting {
  /** The data directory. */
  readonly data: string;
  /** Working directory; that of the tests by default. */
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What runs instead of this Node.js with the project's launcher. */
  readonly program?: readonly [string, ...string[]];
}

export interface ClawProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with everything on standard error or output once it matches; rejects at the end. */
  until(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string>;
}

/** What a test that failed half-way has left running. */
const living = new Set<ChildProcess>();

/** A folder of this file's own; the returned function removes it and ends what still runs. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'claw-bad-'));
  const remove = (): void => {
    for (const child of living) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  return { folder, remove };
}

/** The environment of a user who has set nothing but what makes runs comparable. */
export function plainEnvironment(data: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: join(data, '..', 'home'),
    OPENCLAW_HOME: data,
    OPENCLAW_DETERMINISTIC: '1',
  };
}

export function startClaw(words: readonly string[], setting: ClawSetting): ClawProcess {
  const [program, ...first] = setting.program ?? [process.execPath, launcher];
  const child = spawn(program, [...first, ...words], {
    cwd: setting.cwd ?? projectRoot,
    env: { ...plainEnvironment(setting.data), ...setting.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  living.add(child);
  const text = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.on('data', (bytes) => {
      text[stream] += String(bytes);
      for (const look of [...waiting]) look();
    });
  }
  const ended = new Promise<Ended>((settle) => {
    child.once('close', (status) => {
      living.delete(child);
      settle({ status, ...text });
    });
  });
  return {
    child,
    ended,
    until: (stream, pattern) =>
      new Promise((settle, reject) => {
        const look = (): void => {
          if (!pattern.test(text[stream])) return;
          waiting.delete(look);
          settle(text[stream]);
        };
        waiting.add(look);
        look();
        void ended.then(({ stderr }) => reject(new Error(`It ended before: ${stderr}`)));
      }),
  };
}

/** The command to its end; what does not end in time is killed and has no status. */
export async function claw(words: readonly string[], setting: ClawSetting): Promise<Ended> {
  const { child, ended } = startClaw(words, setting);
  const timer = setTimeout(() => child.kill('SIGKILL'), childMsMax);
  return ended.finally(() => clearTimeout(timer));
}

/**
 * One sentence with its code and no stack, the exit status of the catalogue,
 * and, of a command with --json, one object with the same words.
 */
export function expectFailure(ended: Ended, code: ErrorCode, says: RegExp): void {
  const { status, stdout, stderr } = ended;
  const lines = stderr.trimEnd().split('\n');
  const last = lines.at(-1) ?? '';
  expect(last).toMatch(says);
  expect(last.startsWith('claw: ')).toBe(true);
  expect(last.endsWith(` (${code})`)).toBe(true);
  expect(lines.length).toBeLessThanOrEqual(2);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(status).toBe(errorCatalogue[code].exit);
  const message = last.slice('claw: '.length, -` (${code})`.length);
  expect(oneObject(stdout)).toMatchObject({ error: { code, message } });
}

/** Standard output as the one JSON object that it has to be. */
export function oneObject(stdout: string): unknown {
  expect(stdout.match(/\n/g)).toHaveLength(1);
  return JSON.parse(stdout);
}

/** The runs that `claw runs` reads, which opens and verifies the whole journal. */
export async function listRuns(data: string): Promise<readonly { id: string; status: string }[]> {
  const { status, stdout, stderr } = await claw(['runs', '--json'], { data });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return (oneObject(stdout) as { runs: { id: string; status: string }[] }).runs;
}

export interface Server extends ClawProcess {
  readonly url: string;
  stop(): Promise<Ended>;
}

/** `claw up` on a free port, ready to serve. */
export async function startServer(setting: ClawSetting): Promise<Server> {
  const process = startClaw(['up', '--port', '0', '--json'], setting);
  const ready = JSON.parse(await process.until('stdout', /\n/)) as { url: string };
  return {
    ...process,
    url: ready.url,
    stop: () => {
      process.child.kill('SIGINT');
      return process.ended;
    },
  };
}

/** The answer to `POST /v1/runs`, which is to be a problem of RFC 9457. */
export async function expectProblem(
  server: Server,
  body: unknown,
  code: ErrorCode,
  says: RegExp,
): Promise<void> {
  const response = await fetch(`${server.url}/v1/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  expect(await response.json()).toEqual({
    type: `urn:openclaw:error:${code}`,
    title: errorCatalogue[code].meaning,
    status: response.status,
    detail: expect.stringMatching(says),
    code,
  });
  expect(response.status).toBe(errorCatalogue[code].http);
}
