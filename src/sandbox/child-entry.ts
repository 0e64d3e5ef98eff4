/**
 * The sandbox process: one isolate, one script, then the parent kills it.
 * Run by Node itself with an empty environment and without the right to write
 * files, open sockets, or start processes and threads.
 *
 * Invariants
 *   C1. The main thread stays free while a script runs, because the isolate
 *       has a thread of its own: a closed pipe or a passed deadline ends the
 *       process even in an endless loop.
 *   C2. Nothing is written to the pipe except frames.
 */
import type { Isolate } from 'isolated-vm';
import { PipeFrameReader, PipeFrameWriter } from '../bus/pipe-frames.ts';
import { limits } from '../kernel/limits.ts';
import { guestSource } from './guest.ts';
import {
  answerTopic,
  jobTopic,
  processEnd,
  type SandboxAnswer,
  type SandboxJob,
} from './protocol.ts';
import { withTopLevelAwait } from './top-level-await.ts';

type IsolatedVm = typeof import('isolated-vm');
type Done = Extract<SandboxAnswer, { type: 'done' }>;
type Ending = Pick<Done, 'kind' | 'text' | 'console'>;

/** How long after the script's own time limit a process still waits for its parent to kill it. */
const selfKillGraceMs = 2_000;
const mebibyte = 1024 * 1024;

function endNow(): void {
  process.kill(process.pid, 'SIGKILL');
}

function residentMb(): number {
  return process.memoryUsage.rss() / mebibyte;
}

const answers = new PipeFrameWriter(processEnd, limits.sandboxFrameBytesMax);

function answer(message: SandboxAnswer): void {
  process.stdout.write(answers.encode(answerTopic, message));
}

async function evaluate(isolate: Isolate, job: SandboxJob): Promise<Ending> {
  const context = await isolate.createContext();
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
  const boot = await context.eval(guestSource, { reference: true, filename: 'guest.js' });
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

async function perform(ivm: IsolatedVm, job: SandboxJob): Promise<void> {
  setTimeout(endNow, job.timeoutMs + selfKillGraceMs); // (C1)
  let isolate: Isolate | null = null;
  const finish = (ending: Ending): void => {
    const cpuMs = isolate === null || isolate.isDisposed ? 0 : Number(isolate.cpuTime) / 1e6;
    answer({ type: 'done', ...ending, cpuMs, residentMb: residentMb() });
  };
  try {
    isolate = new ivm.Isolate({
      memoryLimit: job.memoryMb,
      onCatastrophicError: () => finish({ kind: 'memory', text: 'out of memory', console: '' }),
    });
    finish(await evaluate(isolate, job));
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    finish({
      kind: isolate?.isDisposed ? 'memory' : 'error',
      text: text.slice(0, 2_000),
      console: '',
    });
  }
}

async function main(): Promise<void> {
  let ivm: IsolatedVm;
  try {
    ivm = (await import('isolated-vm')).default as unknown as IsolatedVm;
    new ivm.Isolate({ memoryLimit: 8 }).dispose();
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
    void perform(ivm, job.body as SandboxJob); // From the runtime, which is trusted here.
  });
  process.stdin.on('end', endNow); // (C1)
  process.stdin.on('error', endNow);
  process.stdout.on('error', endNow);
  answer({ type: 'ready', residentMb: residentMb() });
}

await main();
