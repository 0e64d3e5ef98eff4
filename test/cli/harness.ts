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
import type { Terminal } from '../../src/cli/terminal.ts';
import type { ForkRequest, StartRunRequest } from '../../src/runtime/views.ts';
import type { LayerStates } from '../../src/sandbox/layers/layer.ts';
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

  override async fork(id: string, request: ForkRequest) {
    const run = await super.fork(id, request);
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
  /** Lines of standard input. */
  readonly lines?: readonly string[];
  readonly terminal?: boolean;
  readonly environment?: Record<string, string>;
  readonly cwd?: string;
  /** What is said of the layers of the sandbox; else they are tried. */
  readonly layers?: LayerStates;
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
  /** How many listen to signals and to the terminal. */
  listeners(): number;
  /** Types on the terminal. */
  type(keys: string): void;
  /** Gives the terminal another size. */
  resize(size: { columns: number; rows: number }): void;
  /** Ends the process in another way than by the command. */
  exit(): void;
}

/** A terminal under the hand of the test. */
class TestTerminal implements Terminal {
  readonly keys = new Set<(key: string) => void>();
  readonly resizes = new Set<() => void>();
  readonly exits = new Set<() => void>();

  onKey(listener: (key: string) => void): () => void {
    return this.#add(this.keys, listener);
  }

  onResize(listener: () => void): () => void {
    return this.#add(this.resizes, listener);
  }

  onExit(listener: () => void): () => void {
    return this.#add(this.exits, listener);
  }

  /** Whoever still listens to it. */
  get listeners(): number {
    return this.keys.size + this.resizes.size + this.exits.size;
  }

  #add<T>(listeners: Set<T>, listener: T): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }
}

export function start(words: readonly string[], setting: Setting = {}): Started {
  const text = { stdout: '', stderr: '' };
  const listeners = new Set<(signal: NodeJS.Signals) => void>();
  const isTTY = setting.terminal ?? false;
  const terminal = new TestTerminal();
  const stdout = {
    isTTY,
    columns: 200,
    rows: 50,
    write: (part: string) => {
      text.stdout += part;
    },
  };
  const io: Io = {
    stdout,
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
    terminal,
    lines: async function* () {
      yield* setting.lines ?? [];
    },
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
    listeners: () => terminal.listeners + listeners.size,
    type: (keys) => {
      for (const key of keys) for (const listener of [...terminal.keys]) listener(key);
    },
    resize: (size) => {
      Object.assign(stdout, size);
      for (const listener of [...terminal.resizes]) listener();
    },
    exit: () => {
      for (const listener of [...terminal.exits]) listener();
    },
  };
}

export function run(words: readonly string[], setting: Setting = {}): Promise<Ended> {
  return start(words, setting).ended;
}

function services({ runtime, owner, replay, layers }: Setting): Services {
  return {
    ...realServices,
    owner: async () => owner ?? null,
    ...(layers === undefined ? {} : { sandboxLayers: async () => layers }),
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

function withoutJournal(): never {
  throw new Error('runs in memory have no journal');
}

function readOnly(runtime: LocalRuntime, replay: ReplayReport | undefined): ReadOnlyRuntime {
  return {
    runs: () => runtime.runs(),
    run: (id) => runtime.run(id),
    events: (id, range) => runtime.events(id, range),
    effects: (id) => runtime.effects(id),
    interventions: (id) => runtime.interventions(id),
    contexts: (id) => runtime.contexts(id),
    transcript: (id, hash) => runtime.transcript(id, hash),
    window: (id, request) => runtime.window(id, request),
    replay: async (id) => {
      const { events, stateHash } = runtime.run(id);
      return replay ?? { run: id, events, equal: true, stateHash, divergence: null };
    },
    generations: withoutJournal,
    diff: withoutJournal,
    auditSnapshots: withoutJournal,
    session: withoutJournal,
    close: () => undefined,
  };
}
