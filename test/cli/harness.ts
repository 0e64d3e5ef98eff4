/** Runs `claw` in this process with captured streams and chosen services. */

import type { Io } from '../../src/cli/io.ts';
import { claw } from '../../src/cli/main.ts';
import {
  type Owner,
  type ReadOnlyRuntime,
  type ReplayReport,
  type RunningRuntime,
  type RuntimeHooks,
  realServices,
  type Services,
} from '../../src/cli/services.ts';
import type { StartRunRequest } from '../../src/runtime/views.ts';
import { InMemoryRuntime } from '../api/in-memory-runtime.ts';

export class LocalRuntime extends InMemoryRuntime implements RunningRuntime {
  recovered = { runs: 0 };
  announcedPort: number | null = null;
  stopped = false;
  hooks: RuntimeHooks = {};
  /** Drives a run once it is started. */
  script: (id: string) => void = (id) => {
    this.end(id);
  };

  announcePort(port: number): void {
    this.announcedPort = port;
  }

  override async startRun(request: StartRunRequest) {
    const run = await super.startRun(request);
    queueMicrotask(() => this.script(run.id));
    return run;
  }

  override async stop(): Promise<void> {
    this.stopped = true;
  }
}

interface Setting {
  readonly runtime?: LocalRuntime;
  readonly owner?: Owner | null;
  readonly replay?: ReplayReport;
  readonly terminal?: boolean;
  readonly environment?: Record<string, string>;
  readonly cwd?: string;
}

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly ended: Promise<Ended>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  signal(): void;
}

export function start(words: readonly string[], setting: Setting = {}): Started {
  const text = { stdout: '', stderr: '' };
  const listeners = new Set<(signal: NodeJS.Signals) => void>();
  const isTTY = setting.terminal ?? false;
  const io: Io = {
    stdout: {
      isTTY,
      write: (part) => {
        text.stdout += part;
      },
    },
    stderr: {
      isTTY,
      columns: 80,
      write: (part) => {
        text.stderr += part;
      },
    },
    environment: {
      OPENCLAW_HOME: '/nowhere/data',
      XDG_CONFIG_HOME: '/nowhere',
      ...setting.environment,
    },
    cwd: setting.cwd ?? process.cwd(),
    onSignal: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    ended: claw(words, io, services(setting)).then((status) => ({ status, ...text })),
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    signal: () => {
      for (const listener of [...listeners]) listener('SIGINT');
    },
  };
}

export function run(words: readonly string[], setting: Setting = {}): Promise<Ended> {
  return start(words, setting).ended;
}

function services({ runtime, owner, replay }: Setting): Services {
  return {
    ...realServices,
    owner: async () => owner ?? null,
    ...(runtime === undefined
      ? {}
      : {
          startRuntime: async (_config, hooks) => {
            runtime.hooks = hooks ?? {};
            return runtime;
          },
          openReadOnly: async () => readOnly(runtime, replay),
        }),
  };
}

function readOnly(runtime: LocalRuntime, replay: ReplayReport | undefined): ReadOnlyRuntime {
  return {
    runs: () => runtime.runs(),
    run: (id) => runtime.run(id),
    events: (id, range) => runtime.events(id, range),
    replay: async (id) => {
      const { events, stateHash } = runtime.run(id);
      return replay ?? { run: id, events, equal: true, stateHash, divergence: null };
    },
    close: () => undefined,
  };
}
