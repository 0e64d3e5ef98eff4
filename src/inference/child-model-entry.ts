/**
 * The process of a model: opens it as the runtime's own thread would, and answers
 * over the channel to the process that started it.
 *
 * Invariants
 *   E1. It does not outlive the channel: without it nobody hears an answer, and
 *       what llama.cpp is in the middle of must not hold the memory.
 *   E2. Signals of the terminal and of service managers reach all processes of a
 *       group; this one ends when it is told over the channel.
 */
import { assert } from '../kernel/assert.ts';
import { toErrorMessage } from '../kernel/errors.ts';
import type { FromModelProcess, ToModelProcess } from './child-model-protocol.ts';
import type { ModelPort } from './model-port.ts';
import { type ModelSettings, openModel } from './open-model.ts';

assert(process.send !== undefined, 'the process of a model has a channel to its parent');

const jobs = new Map<number, AbortController>();
let model: ModelPort | null = null;

function say(message: FromModelProcess): void {
  // A channel that is gone ends this process anyway (E1).
  process.send?.(message, () => undefined);
}

async function open(settings: ModelSettings): Promise<void> {
  try {
    model = await openModel(settings);
    say({ type: 'opened', info: model.info });
  } catch (error) {
    say({ type: 'refused', error: toErrorMessage(error) });
  }
}

async function generate(message: Extract<ToModelProcess, { type: 'generate' }>): Promise<void> {
  const { call, request, tokens, options } = message;
  const job = new AbortController();
  jobs.set(call, job);
  try {
    assert(model !== null, 'nothing is asked before the model is open');
    const outcome = await model.generate(request, {
      ...options,
      signal: job.signal,
      ...(tokens ? { onToken: (token, place) => say({ type: 'token', call, token, place }) } : {}),
    });
    say({ type: 'outcome', call, outcome });
  } catch (error) {
    say({ type: 'failed', call, error: toErrorMessage(error) });
  } finally {
    jobs.delete(call);
  }
}

async function tellUsage(): Promise<void> {
  // Asked while the model still loads, or is being freed: then nothing is held.
  const usage = (await model?.usage().catch(() => null)) ?? null;
  say({ type: 'usage', usage });
}

async function close(): Promise<void> {
  await model?.close();
  process.exit(0);
}

process.on('message', (message: ToModelProcess) => {
  switch (message.type) {
    case 'open':
      void open(message.settings);
      return;
    case 'generate':
      void generate(message);
      return;
    case 'abort':
      jobs.get(message.call)?.abort();
      return;
    case 'usage':
      void tellUsage();
      return;
    case 'forget':
      void model?.forget(message.queueKey);
      return;
    case 'close':
      void close();
      return;
  }
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL')); // (E1)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => undefined); // (E2)
}
