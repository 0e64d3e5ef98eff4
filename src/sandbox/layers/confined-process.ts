/**
 * A command started under layers: the one way in which this runtime starts
 * programs that nobody trusts.
 *
 * Invariants
 *   C1. Nothing of the runtime's environment reaches the command, and no open
 *       file but its pipes.
 *   C2. `kill` ends everything that the command has started: its PID namespace
 *       where it has one, else its process group.
 *   C3. With a control group and namespaces the command begins once it is in
 *       the group, and without namespaces `started` tells when it is. The group
 *       is removed after the end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { bubblewrapArguments, type ReadOnlyBind, type TemporaryFolder } from './bubblewrap.ts';
import { type CgroupBounds, type CgroupTree, ExecutionCgroup } from './cgroup.ts';
import { inheritableDescriptors } from './inheritable-descriptors.ts';

/** The layers that a process is started under; null for one that is left out. */
export interface LayersInUse {
  /** Path of `bwrap`. */
  readonly bubblewrap: string | null;
  /** The filter's bytes. Bubblewrap loads it, so there is none without. */
  readonly seccomp: Buffer | null;
  readonly cgroup: CgroupTree | null;
}

export interface ConfinedCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What can be read inside, the program and its libraries included. */
  readonly readOnly: readonly ReadOnlyBind[];
  readonly writable?: readonly TemporaryFolder[];
  /** A folder inside; the system's temporary folder where there are no namespaces. */
  readonly workingDirectory?: string;
  /** Whether it starts no other program: then nothing stands between it and the kernel. */
  readonly single: boolean;
  /** Whether it needs /proc and /dev of its own. */
  readonly systemFolders?: boolean;
  /** Bytes that it can read from descriptor 3, 4, and so on. */
  readonly inputs?: readonly Buffer[];
  /** What becomes of its standard error; ignored by default. */
  readonly stderr?: 'pipe' | 'ignore';
  readonly bounds: CgroupBounds;
}

/** What to start and which descriptors to serve, as `confined` lays it out. */
export interface ConfinedLaunch {
  readonly file: string;
  readonly args: readonly string[];
  /** Bytes to write to further pipes, from descriptor 3 on; null is one that is read or held. */
  readonly extraPipes: readonly (Buffer | null)[];
  /** Index in `extraPipes`, or null. */
  readonly infoPipe: number | null;
  readonly blockPipe: number | null;
}

const firstExtra = 3;

/** The command line and pipes of a command under layers; starts nothing. */
export function confined(command: ConfinedCommand, layers: LayersInUse): ConfinedLaunch {
  const inputs = command.inputs ?? [];
  if (layers.bubblewrap === null) {
    const { file, args } = command;
    return { file, args, extraPipes: inputs, infoPipe: null, blockPipe: null };
  }
  const infoPipe = inputs.length;
  const blockPipe = layers.cgroup === null ? null : infoPipe + 1;
  const seccompPipe = layers.seccomp === null ? null : infoPipe + (blockPipe === null ? 1 : 2);
  const descriptor = (pipe: number | null): number | null =>
    pipe === null ? null : pipe + firstExtra;
  const options = bubblewrapArguments({
    readOnly: command.readOnly,
    writable: command.writable ?? [],
    environment: command.environment,
    workingDirectory: command.workingDirectory ?? '/',
    proc: command.systemFolders ?? false,
    devices: command.systemFolders ?? false,
    asFirstProcess: command.single,
    infoDescriptor: infoPipe + firstExtra,
    seccompDescriptor: descriptor(seccompPipe),
    blockDescriptor: descriptor(blockPipe),
  });
  return {
    file: layers.bubblewrap,
    args: [...options, command.file, ...command.args],
    extraPipes: [
      ...inputs,
      null,
      ...(blockPipe === null ? [] : [null]),
      ...(layers.seccomp === null ? [] : [layers.seccomp]),
    ],
    infoPipe,
    blockPipe,
  };
}

/** How a command ended. */
export interface ConfinedExit {
  /** Exit code, or null when a signal ended it or it never began. */
  readonly code: number | null;
  /** Whether the kernel killed it, because its control group was out of memory. */
  readonly outOfMemory: boolean;
}

/** A started command. Its streams are those of a child process; standard input and output are pipes. */
export class ConfinedProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable | null;
  readonly group: ExecutionCgroup | null;
  /** Process id, as the host counts, of the command itself; null when it ended before it began. Never rejects. */
  readonly started: Promise<number | null>;
  /** Resolves when everything is gone. Never rejects. */
  readonly exited: Promise<ConfinedExit>;
  readonly #child: ChildProcess;
  /** First process of the namespace. */
  #inner: number | null = null;
  #gone = false;

  private constructor(child: ChildProcess, launch: ConfinedLaunch, group: ExecutionCgroup | null) {
    this.#child = child;
    this.group = group;
    this.stdin = child.stdin as Writable;
    this.stdout = child.stdout as Readable;
    this.stderr = child.stderr;
    for (const stream of child.stdio.slice(0, 3)) stream?.on('error', () => {}); // The end is noticed by `exited`.
    this.exited = this.#end();
    this.started = this.#start(launch);
  }

  /** Starts the command. @throws the system's error when its control group cannot be made. */
  static async start(command: ConfinedCommand, layers: LayersInUse): Promise<ConfinedProcess> {
    const launch = confined(command, layers);
    const group =
      layers.cgroup === null ? null : await ExecutionCgroup.create(layers.cgroup, command.bounds);
    const nothing = openSync(devNull, 'r');
    try {
      const child = spawn(launch.file, launch.args, {
        env: layers.bubblewrap === null ? command.environment : {}, // (C1)
        cwd: layers.bubblewrap === null ? (command.workingDirectory ?? tmpdir()) : '/',
        stdio: withoutInherited(
          ['pipe', 'pipe', command.stderr ?? 'ignore', ...launch.extraPipes.map(() => 'pipe')],
          nothing,
        ),
        // Its own session: Ctrl-C in the terminal is for the runtime alone, and the group can be killed.
        detached: process.platform !== 'win32',
        windowsHide: true,
      });
      return new ConfinedProcess(child, launch, group);
    } finally {
      closeSync(nothing);
    }
  }

  /** Whether the process keeps the event loop alive, with its pipes. */
  hold(hold: boolean): void {
    const streams = this.#child.stdio as unknown as ({ ref?(): void; unref?(): void } | null)[];
    if (hold) this.#child.ref();
    else this.#child.unref();
    for (const stream of streams) {
      if (hold) stream?.ref?.();
      else stream?.unref?.();
    }
  }

  /** Ends the command and whatever it started, at once (C2). */
  kill(): void {
    for (const stream of this.#child.stdio) stream?.destroy();
    const { pid } = this.#child;
    if (this.#gone || pid === undefined) return;
    // With the first process its namespace ends, and then bubblewrap, which has waited for it.
    if (this.#inner !== null) signal(this.#inner);
    else if (process.platform === 'win32') this.#child.kill('SIGKILL');
    else signal(-pid);
  }

  async #end(): Promise<ConfinedExit> {
    const code = await new Promise<number | null>((resolve) => {
      this.#child.once('exit', (status) => resolve(status));
      this.#child.once('error', () => resolve(null));
    });
    this.#gone = true;
    const outOfMemory = (await this.group?.hasKilled()) ?? false;
    void this.group?.remove(); // (C3)
    return { code, outOfMemory };
  }

  async #start({ extraPipes, infoPipe, blockPipe }: ConfinedLaunch): Promise<number | null> {
    const pipes = this.#child.stdio.slice(firstExtra, firstExtra + extraPipes.length) as (Writable &
      Readable)[];
    pipes.forEach((pipe, index) => {
      pipe.on('error', () => {});
      const bytes = extraPipes[index];
      if (bytes instanceof Buffer) pipe.end(bytes);
    });
    const info = infoPipe === null ? undefined : pipes[infoPipe];
    const pid = info === undefined ? (this.#child.pid ?? null) : await this.#innerPid(info);
    if (pid === null || this.#gone) return null;
    try {
      await this.group?.add(pid);
    } catch {
      // It would run without its bounds; whoever asked for them sees that it never began.
      this.kill();
      return null;
    }
    if (blockPipe !== null) pipes[blockPipe]?.end('.'); // (C3)
    return pid;
  }

  /** What bubblewrap says its child is. */
  async #innerPid(info: Readable): Promise<number | null> {
    const text = await new Promise<string>((resolve) => {
      let all = '';
      info.on('data', (chunk: Buffer) => {
        all += chunk.toString('latin1');
        if (all.includes('}')) resolve(all);
      });
      info.once('close', () => resolve(all));
      void this.exited.then(() => resolve(all));
    });
    info.destroy();
    const pid = Number(/"child-pid":\s*(\d+)/.exec(text)?.[1]);
    if (!Number.isSafeInteger(pid) || pid <= 1) return null;
    this.#inner = pid;
    return pid;
  }
}

type Stdio = 'pipe' | 'ignore';

/** The same, with nothing at every descriptor that would be inherited (C1). */
function withoutInherited(stdio: readonly string[], nothing: number): (Stdio | number)[] {
  const all: (Stdio | number)[] = stdio.map((each) => (each === 'pipe' ? 'pipe' : 'ignore'));
  for (const descriptor of inheritableDescriptors()) {
    if (descriptor < stdio.length) continue;
    while (all.length < descriptor) all.push('ignore');
    all[descriptor] = nothing;
  }
  return all;
}

/** A process that is gone needs no signal. */
function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
