/**
 * The sandbox process: one isolate, one script, then the parent kills it.
 * Run by Node itself with an empty environment, under the layers that the host
 * has (layers/), from a program that comes over a pipe (child-program.ts): it
 * imports no package and is kept small, because every start loads it anew.
 * Its arguments are the paths of isolated-vm's package.json and library.
 *
 * Invariants
 *   C1. The main thread stays free while a script runs, because the isolate
 *       has a thread of its own: a closed pipe or a passed deadline ends the
 *       process even in an endless loop.
 *   C2. Nothing is written to the pipe except frames.
 */
import { readFileSync } from 'node:fs';
import type { Context, Isolate, Reference } from 'isolated-vm';
import { PipeFrameReader, PipeFrameWriter } from '../bus/pipe-frames.ts';
import { limits } from '../kernel/limits.ts';
import { guestSource } from './guest.ts';
import { isolatedVmProblem } from './isolated-vm-version.ts';
import type { SandboxAnswer, SandboxJob } from './protocol.ts';
import { answerTopic, jobTopic, processEnd } from './protocol-topics.ts';
import { withTopLevelAwait } from './top-level-await.ts';

type IsolatedVm = typeof import('isolated-vm');
type Done = Extract<SandboxAnswer, { type: 'done' }>;
type Ending = Pick<Done, 'kind' | 'text' | 'console'>;

/** How long after the script's own time limit a process still waits for its parent to kill it. */
const selfKillGraceMs = 2_000;
const mebibyte = 1024 * 1024;

/** An isolate that waits for its script, with what prepares the script's world already compiled. */
interface Prepared {
  readonly memoryMb: number;
  readonly isolate: Isolate;
  readonly context: Context;
  readonly boot: Reference;
  /** Called when the isolate is beyond help. */
  onCatastrophe: () => void;
}

function endNow(): void {
  process.kill(process.pid, 'SIGKILL');
  // The first process of a namespace is deaf to its own signals, but not to a fault.
  process.abort();
}

/** Zero where there is no /proc to ask: then the parent looks by itself. */
function residentMb(): number {
  try {
    return process.memoryUsage.rss() / mebibyte;
  } catch {
    return 0;
  }
}

const answers = new PipeFrameWriter(processEnd, limits.sandboxFrameBytesMax);

function answer(message: SandboxAnswer): void {
  process.stdout.write(answers.encode(answerTopic, message));
}

async function prepare(ivm: IsolatedVm, memoryMb: number): Promise<Prepared> {
  let prepared: Prepared | null = null;
  const isolate = new ivm.Isolate({
    memoryLimit: memoryMb,
    onCatastrophicError: () => prepared?.onCatastrophe(),
  });
  const context = await isolate.createContext();
  const boot = await context.eval(guestSource, { reference: true, filename: 'guest.js' });
  prepared = { memoryMb, isolate, context, boot, onCatastrophe: () => {} };
  return prepared;
}

/**
 * Goes the way of a job once, in a context of its own, before anybody waits:
 * the engine compiles a function when it is first called.
 */
async function rehearse(isolate: Isolate, reader: PipeFrameReader): Promise<void> {
  const job: SandboxJob = {
    source: '0',
    input: null,
    memoryMb: 8,
    timeoutMs: 1,
    seed: 0,
    timeMs: 0,
  };
  const jobs = new PipeFrameWriter(processEnd, limits.sandboxFrameBytesMax);
  reader.push(jobs.encode(jobTopic, job));
  const context = await isolate.createContext();
  const boot = await context.eval(guestSource, { reference: true, filename: 'guest.js' });
  await evaluate({ isolate, boot }, job);
  context.release();
}

async function evaluate(
  { isolate, boot }: Pick<Prepared, 'isolate' | 'boot'>,
  job: SandboxJob,
): Promise<Ending> {
  const compiles = (text: string): Promise<boolean> =>
    isolate.compileScript(text).then(
      (script) => {
        script.release();
        return true;
      },
      () => false,
    );
  const source = await withTopLevelAwait(job.source, compiles);
  // Compiled once by itself, for an error message with line and column.
  await isolate.compileScript(source, { filename: 'script.js' });
  const run = await boot.apply(
    undefined,
    [job.seed, job.timeMs, job.input, limits.sandboxResultBytesMax, limits.sandboxConsoleBytesMax],
    { result: { reference: true } },
  );
  const result: unknown = await run.apply(undefined, [`${source}\n//# sourceURL=script.js`], {
    result: { promise: true, copy: true },
  });
  return toEnding(result);
}

function toEnding(result: unknown): Ending {
  if (Array.isArray(result) && result.every((part) => typeof part === 'string')) {
    const [kind, text, console] = result;
    if (kind === 'value' || kind === 'invalid' || kind === 'error' || kind === 'memory') {
      return { kind, text: text ?? '', console: console ?? '' };
    }
  }
  return { kind: 'error', text: 'the isolate gave no answer', console: '' };
}

async function perform(ivm: IsolatedVm, ahead: Prepared, job: SandboxJob): Promise<void> {
  setTimeout(endNow, job.timeoutMs + selfKillGraceMs); // (C1)
  let prepared = ahead;
  const spentBefore = ahead.isolate.cpuTime;
  const cpuMs = (): number => {
    if (prepared.isolate.isDisposed) return 0;
    const before = prepared === ahead ? spentBefore : 0n;
    return Number(prepared.isolate.cpuTime - before) / 1e6;
  };
  const finish = (ending: Ending): void => {
    answer({ type: 'done', ...ending, cpuMs: cpuMs(), residentMb: residentMb() });
  };
  try {
    if (ahead.memoryMb !== job.memoryMb) prepared = await prepare(ivm, job.memoryMb);
    prepared.onCatastrophe = () => finish({ kind: 'memory', text: 'out of memory', console: '' });
    finish(await evaluate(prepared, job));
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    finish({
      kind: prepared.isolate.isDisposed ? 'memory' : 'error',
      text: text.slice(0, 2_000),
      console: '',
    });
  }
}

/** Loads the native package by its path, without its loader, which would look around. */
function loadIsolatedVm(manifest: string, addon: string): IsolatedVm {
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: unknown };
  const problem = isolatedVmProblem(version);
  if (problem !== null) throw new Error(problem);
  const loaded = { exports: {} as { ivm?: IsolatedVm } };
  process.dlopen(loaded, addon);
  if (loaded.exports.ivm === undefined) throw new Error('the library exports no isolates');
  return loaded.exports.ivm;
}

async function main(): Promise<void> {
  let ivm: IsolatedVm;
  let ahead: Prepared;
  try {
    const [, manifest = '', addon = ''] = process.argv;
    ivm = loadIsolatedVm(manifest, addon);
    ahead = await prepare(ivm, limits.sandboxMemoryMbDefault);
    await rehearse(ahead.isolate, new PipeFrameReader(limits.sandboxFrameBytesMax));
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, 1_000);
    answer({ type: 'unusable', message });
    return;
  }
  const reader = new PipeFrameReader(limits.sandboxFrameBytesMax);
  let busy = false;
  process.stdin.on('data', (chunk: Buffer) => {
    const [job] = reader.push(chunk) ?? [];
    if (job?.header.topic !== jobTopic || busy) return;
    busy = true;
    answer({ type: 'begun' });
    void perform(ivm, ahead, job.body as SandboxJob); // From the runtime, which is trusted here.
  });
  process.stdin.on('end', endNow); // (C1)
  process.stdin.on('error', endNow);
  process.stdout.on('error', endNow);
  answer({ type: 'ready', residentMb: residentMb() });
}

await main();
