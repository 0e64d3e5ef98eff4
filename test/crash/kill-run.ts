/**
 * A run that is killed: `claw up` in a process group of its own, SIGKILL to
 * the whole group at random instants, `claw up` again, until the run has
 * ended. Afterwards everything that a crash could have broken is looked at.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { readLock } from '../../src/journal/data-directory.ts';
import type { EventView, RunView } from '../../src/runtime/views.ts';

const claw = fileURLToPath(new URL('../../bin/claw.js', import.meta.url));
const startMsMax = 60_000;
const pollMs = 50;

export interface KillPlan {
  readonly pipeline: string;
  readonly input: string;
  /** Milliseconds after the (re)start of the run at which the group is killed, one for each kill. */
  readonly instants: readonly number[];
  /** A run may take this long between two kills, and at the end. */
  readonly runMsMax: number;
}

export interface KilledRun {
  readonly run: RunView;
  readonly report: string;
  /** Instants that met a run in progress; a run that ended before its instant was not killed. */
  readonly kills: number;
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[];
}

export interface Server {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
}

/** @param env beside this process's own. */
export async function startServer(
  dataDirectory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const child = spawn(process.execPath, [claw, 'up', '--data', dataDirectory, '--port', '0'], {
    env: { ...process.env, OPENCLAW_DETERMINISTIC: '1', ...env },
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2_000);
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('claw up did not start');
  const deadline = Date.now() + startMsMax;
  while (Date.now() < deadline) {
    if (child.exitCode !== null)
      throw new Error(`claw up ended with ${child.exitCode}: ${complaint}`);
    const lock = readLock(dataDirectory);
    if (lock?.pid === pid && lock.port !== null) {
      return { child, pid, url: `http://127.0.0.1:${lock.port}` };
    }
    await sleep(pollMs);
  }
  throw new Error(`claw up did not listen in time: ${complaint}`);
}

export async function killGroup({ child, pid }: Server): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-pid, 'SIGKILL');
  await exited;
}

export async function stopServer({ child, pid }: Server): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  process.kill(pid, 'SIGTERM');
  await exited;
}

export async function getJson<T>(url: string, init?: RequestInit): Promise<T> {
  const answer = await fetch(url, init);
  const body = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${body}`);
  return JSON.parse(body) as T;
}

export async function waitForEnd(server: Server, run: string, msMax: number): Promise<RunView> {
  const deadline = Date.now() + msMax;
  for (;;) {
    const view = await getJson<RunView>(`${server.url}/v1/runs/${run}`);
    if (view.status !== 'running') return view;
    if (Date.now() > deadline) {
      throw new Error(
        `the run did not end in ${msMax} ms; it has ${view.events} events, ${view.progress.stepsDone} of ${view.progress.stepsTotal} steps`,
      );
    }
    await sleep(pollMs);
  }
}

/** Inode of each finished file of the workspace: a second write would give it another one. */
export function workspaceFiles(folder: string): Map<string, number> {
  const files = new Map<string, number>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !entry.name.endsWith('.tmp')) files.set(path, statSync(path).ino);
  }
  return files;
}

async function eventsFrom(server: Server, run: string, from: number): Promise<EventView[]> {
  const events: EventView[] = [];
  let next: number | null = from;
  while (next !== null) {
    const page: { events: EventView[]; next: number | null } = await getJson(
      `${server.url}/v1/runs/${run}/events?from=${next}&limit=1000`,
    );
    events.push(...page.events);
    next = page.events.length === 0 ? null : page.next;
  }
  return events;
}

export function doubledOutcomes(events: readonly EventView[]): string[] {
  const folded = new Map<string, number>();
  for (const { event, cause } of events) {
    if (event.type === 'outcome' && cause !== null) folded.set(cause, (folded.get(cause) ?? 0) + 1);
  }
  return [...folded]
    .filter(([, count]) => count > 1)
    .map(([key]) => `The outcome of ${key} was folded twice.`);
}

/** Events that a client was shown are acknowledged: they stay what and where they were. */
export function lostEvents(shown: readonly EventView[], now: readonly EventView[]): string[] {
  return shown
    .filter((event, index) => !isDeepStrictEqual(event, now[index]))
    .map(({ sequence }) => `The acknowledged event ${sequence} is lost or another.`);
}

export function rewritten(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): string[] {
  return [...before].flatMap(([path, inode]) => {
    const now = after.get(path);
    if (now === undefined) return [`The file ${path} is gone.`];
    return now === inode ? [] : [`The file ${path} was written a second time.`];
  });
}

/** Runs the pipeline under `claw up`, killing it at each instant that meets it in progress. */
export async function runKilled(plan: KillPlan): Promise<KilledRun> {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'claw-kill-'));
  const problems: string[] = [];
  let server = await startServer(dataDirectory);
  try {
    const body = JSON.stringify({
      pipeline: plan.pipeline,
      input: { folder: plan.input },
      seed: 1,
    });
    const headers = { 'content-type': 'application/json' };
    const { id } = await getJson<RunView>(`${server.url}/v1/runs`, {
      method: 'POST',
      headers,
      body,
    });
    const workspace = join(dataDirectory, 'workspaces', id);
    let kills = 0;
    const shown: EventView[] = [];
    for (const instant of plan.instants) {
      await sleep(instant);
      const { status } = await getJson<RunView>(`${server.url}/v1/runs/${id}`);
      if (status !== 'running') break;
      shown.push(...(await eventsFrom(server, id, shown.length + 1)));
      await killGroup(server);
      kills += 1;
      const before = workspaceFiles(workspace);
      server = await startServer(dataDirectory);
      const after = workspaceFiles(workspace);
      problems.push(...rewritten(before, after));
    }
    const seen = workspaceFiles(workspace);
    const run = await waitForEnd(server, id, plan.runMsMax);
    problems.push(...rewritten(seen, workspaceFiles(workspace)));
    const events = await eventsFrom(server, id, 1);
    problems.push(...lostEvents(shown, events), ...doubledOutcomes(events));
    const report = readFileSync(
      join(workspace, String(run.outputs?.report ?? 'report.md')),
      'utf8',
    );
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [claw, 'replay', id, '--data', dataDirectory, '--json'],
      { maxBuffer: 16 * 1024 * 1024 },
    );
    const replay = JSON.parse(stdout) as { equal: boolean; stateHash: string; events: number };
    if (!replay.equal) problems.push('The replay is not equal.');
    if (replay.stateHash !== run.stateHash)
      problems.push('The replay has another state hash than the run.');
    if (replay.events !== run.events)
      problems.push(`The replay has ${replay.events} events, the run ${run.events}.`);
    return { run, report, kills, problems };
  } finally {
    await stopServer(server).catch(() => undefined);
    rmSync(dataDirectory, { recursive: true, force: true });
  }
}

/** A small deterministic generator of instants (mulberry32), so that a failure can be repeated. */
export function randomInstants(seed: number): (maxMs: number) => number {
  let state = seed >>> 0;
  return (maxMs) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * maxMs);
  };
}
