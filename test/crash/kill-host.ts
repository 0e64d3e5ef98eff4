/**
 * A run whose hosts are killed: a runtime in this process, one of its host
 * threads ended alone at random instants. Afterwards everything that such a
 * death could have broken is looked at.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { verifyJournal } from '../../src/journal/verification.ts';
import type { RuntimeConfig } from '../../src/runtime/config.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { startRuntime } from '../../src/runtime/start-runtime.ts';
import type { EventView } from '../../src/runtime/views.ts';
import { killHost } from './host-threads.ts';
import {
  doubledOutcomes,
  type KilledRun,
  type KillPlan,
  lostEvents,
  rewritten,
  workspaceFiles,
} from './kill-run.ts';

function eventsFrom(runtime: Runtime, run: string, from: number): EventView[] {
  const events: EventView[] = [];
  for (;;) {
    const page = runtime.events(run, { from: from + events.length, limit: 1_000 });
    if (page.length === 0) return events;
    events.push(...page);
  }
}

function openEffects(runtime: Runtime, run: string): string[] {
  return runtime
    .effects(run)
    .filter(({ status }) => status !== 'completed')
    .map(({ key, status }) => `The effect ${key} is ${status}.`);
}

async function replayProblems(dataDirectory: string, run: string, hash: string): Promise<string[]> {
  const readOnly = openReadOnly(dataDirectory);
  try {
    const { equal, stateHash } = await readOnly.replay(run);
    return [
      ...(equal ? [] : ['The replay is not equal.']),
      ...(stateHash === hash ? [] : ['The replay has another state hash than the run.']),
      ...(verifyJournal(dataDirectory).ok ? [] : ['The journal is damaged.']),
    ];
  } finally {
    readOnly.close();
  }
}

export interface HostKilledRun extends KilledRun {
  /** How often the hosts have started again. */
  readonly restarts: number;
  /** What the runtime said meanwhile, such as why a host has died. */
  readonly notices: readonly string[];
}

/** Runs the pipeline in this process, killing one host at each instant that meets it in progress. */
export async function runHostKilled(
  plan: KillPlan & {
    readonly hosts: number;
    readonly pick: () => number;
    readonly model?: RuntimeConfig['model'];
  },
): Promise<HostKilledRun> {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'claw-kill-'));
  const problems: string[] = [];
  const notices: string[] = [];
  const runtime = await startRuntime(
    {
      dataDirectory,
      host: '127.0.0.1',
      port: 0,
      model: plan.model ?? {},
      deterministic: true,
      journal: 'durable',
      debug: false,
      hosts: plan.hosts,
    },
    {
      onNotice: (text) => notices.push(text),
      onFailure: (error) => problems.push(`The runtime has stopped: ${error}`),
    },
  );
  try {
    const request = { pipeline: plan.pipeline, input: { folder: plan.input }, seed: 1 };
    const { id } = await runtime.startRun(request);
    const workspace = join(dataDirectory, 'workspaces', id);
    let kills = 0;
    let before = new Map<string, number>();
    const shown: EventView[] = [];
    for (const instant of plan.instants) {
      await sleep(instant);
      if (runtime.run(id).status !== 'running') break;
      const seen = workspaceFiles(workspace);
      problems.push(...rewritten(before, seen));
      before = seen;
      shown.push(...eventsFrom(runtime, id, shown.length + 1));
      if (await killHost(plan.pick())) kills += 1;
    }
    const run = await runtime.ended(id, AbortSignal.timeout(plan.runMsMax));
    problems.push(...rewritten(before, workspaceFiles(workspace)));
    const events = eventsFrom(runtime, id, 1);
    problems.push(...lostEvents(shown, events), ...doubledOutcomes(events));
    problems.push(...openEffects(runtime, id));
    const name = String(run.outputs?.report ?? 'report.md');
    const report = run.status === 'succeeded' ? readFileSync(join(workspace, name), 'utf8') : '';
    const restarts = runtime.health().hostRestarts;
    await runtime.stop();
    problems.push(...(await replayProblems(dataDirectory, id, run.stateHash)));
    return { run, report, kills, restarts, notices, problems };
  } finally {
    await runtime.stop();
    rmSync(dataDirectory, { recursive: true, force: true });
  }
}
