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
import type { Isolate } from 'isolated-vm';
import { PipeFrameReader, PipeFrameWriter } from '../bus/pipe-frames.ts';
import { limits } from '../kernel/limits.ts';
import { beginScript } from './begin-script.ts';
import { ChildJob } from './child-job.ts';
import { guestSource } from './guest.ts';
import { isolatedVmProblem } from './isolated-vm-version.ts';
import { type IsolatedVm, type Prepared, prepare } from './prepared-isolate.ts';
import type { CallAnswer, SandboxAnswer, SandboxJob } from './protocol.ts';
import { answerTopic, callAnswerTopic, jobTopic, processEnd } from './protocol-topics.ts';

const mebibyte = 1024 * 1024;

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

/**
 * Goes the way of a job once, in a context of its own, before anybody waits:
 * the engine compiles a function when it is first called.
 */
async function rehearse(ivm: IsolatedVm, isolate: Isolate, reader: PipeFrameReader): Promise<void> {
  const job: SandboxJob = {
    source: '0',
    input: null,
    memoryMb: 8,
    timeoutMs: 1,
    seed: 0,
    timeMs: 0,
    language: 'js',
    tools: [],
    limits: { calls: 0, messageBytes: 1_024 },
  };
  const jobs = new PipeFrameWriter(processEnd, limits.sandboxFrameBytesMax);
  reader.push(jobs.encode(jobTopic, job));
  const context = await isolate.createContext();
  const boot = await context.eval(guestSource, { reference: true, filename: 'guest.js' });
  const { ending } = await beginScript({ ivm, isolate, boot }, job, () => {});
  await ending;
  context.release();
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
    await rehearse(ivm, ahead.isolate, new PipeFrameReader(limits.sandboxFrameBytesMax));
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, 1_000);
    answer({ type: 'unusable', message });
    return;
  }
  const reader = new PipeFrameReader(limits.sandboxFrameBytesMax);
  let running: ChildJob | null = null;
  process.stdin.on('data', (chunk: Buffer) => {
    // From the runtime, which is trusted here.
    for (const { header, body } of reader.push(chunk) ?? []) {
      if (header.topic === callAnswerTopic) running?.deliver(body as CallAnswer);
      if (header.topic !== jobTopic || running !== null) continue;
      answer({ type: 'begun' });
      running = new ChildJob(body as SandboxJob, { ivm, ahead, answer, residentMb, endNow });
    }
  });
  process.stdin.on('end', endNow); // (C1)
  process.stdin.on('error', endNow);
  process.stdout.on('error', endNow);
  answer({ type: 'ready', residentMb: residentMb() });
}

await main();
