/** A model in a process of its own: real processes, ended by real signals. */
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { GeneratedToken } from '../../src/inference/model-port.ts';
import { openModel } from '../../src/inference/open-model.ts';
import type { RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';
import { modelProcesses } from './model-processes.ts';
import { draftModelFile, embeddedModelFile, longRequest, request } from './requests.ts';

interface Choice {
  readonly process?: 'thread' | 'child';
  readonly modelFile?: string;
  readonly sequences?: number;
  readonly stateFolder?: string;
}

async function open(choice: Choice = { process: 'child' }) {
  const model = await openModel({ embeddedModelFile, cores: 2, deterministic: true, ...choice });
  onTestFinished(() => model.close());
  return model;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'claw-child-model-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function youngest(): number {
  const pid = modelProcesses().at(-1);
  if (pid === undefined) throw new Error('no process of a model lives');
  return pid;
}

/** Ends the process that serves at the first token. */
function killOnce(signal: NodeJS.Signals): () => void {
  let killed = false;
  return () => {
    if (!killed) process.kill(youngest(), signal);
    killed = true;
  };
}

async function errorOf(failing: Promise<unknown>): Promise<RuntimeError | null> {
  return failing.then(
    () => null,
    (error: RuntimeError) => error,
  );
}

describe('a model in a child process', () => {
  test('keeps what its agents had read, tells of it, and leaves nothing when it is killed', async () => {
    const stateFolder = join(folder(), 'states');
    const child = await open({ process: 'child', sequences: 1, stateFolder });
    const long = (name: string) =>
      request(`Summarise: ${`${name} is in Bonn. `.repeat(40)}`, { maxTokens: 4 });
    const places: number[] = [];
    const onToken = (_: unknown, place: number) => places.push(place);
    await child.generate(long('Ada'), { parks: true, queueKey: 'one', onToken });
    expect(places).toEqual(places.map((_, index) => index));
    expect(places.length).toBeGreaterThan(1);
    await child.generate(long('Bob'), { queueKey: 'two' });
    expect(await child.usage()).toMatchObject({ offloaded: 1, files: { files: 1 } });
    await child.forget('one');
    expect(await child.usage()).toMatchObject({ files: { files: 0 } });
    await child.generate(long('Cid'), { parks: true, queueKey: 'one' });
    await child.generate(long('Bob'), { queueKey: 'two' });
    expect(readdirSync(stateFolder)).toHaveLength(1);
    const died = errorOf(child.generate(longRequest(), { onToken: killOnce('SIGKILL') }));
    expect(await died).toMatchObject({ code: 'INFERENCE_UNAVAILABLE' });
    // Of the next process, which may still be loading.
    await child.usage();
    await child.generate(long('Ada'));
    expect(await child.usage()).toMatchObject({ offloaded: 0, files: { files: 0 } });
    expect(readdirSync(stateFolder)).toHaveLength(1);
  });

  test('introduces itself and answers as the one in this thread, token for token', async () => {
    const [child, thread] = [await open(), await open({ process: 'thread' })];
    expect(child.info).toEqual(thread.info);
    const question = request('Extract the names from: Priya wrote to Marco.', {
      schema: {
        type: 'object',
        properties: { names: { type: 'array', items: { type: 'string' } } },
      },
      temperature: 1,
      seed: 5,
    });
    const heard: GeneratedToken[] = [];
    const outcome = await child.generate(question, { onToken: (token) => heard.push(token) });
    expect(outcome).toEqual(await thread.generate(question));
    expect(heard).toEqual(outcome.tokens);
  });

  test('hears an abort, tells errors by their codes, and leaves no process behind', async () => {
    const model = await open();
    const pid = youngest();
    const stop = new AbortController();
    const stopped = model.generate(longRequest(), {
      signal: stop.signal,
      onToken: () => stop.abort(),
    });
    expect((await errorOf(stopped))?.code).toBe('INFERENCE_ABORTED');
    const late = await errorOf(model.generate(longRequest({ timeoutMs: 1 })));
    expect(late).toMatchObject({ code: 'INFERENCE_TIMEOUT', retryable: true });
    const other = await errorOf(model.generate(request('Hello!', { model: 'nobody' })));
    expect(other?.code).toBe('MODEL_UNKNOWN');
    await model.close();
    expect(modelProcesses()).not.toContain(pid);
    expect((await errorOf(model.generate(request('Hello!'))))?.code).toBe('INFERENCE_ABORTED');
  });

  test.each(['SIGKILL', 'SIGABRT', 'SIGSEGV'] as const)(
    'that %s ends refuses what it had begun, and answers the rest from the next process',
    async (signal) => {
      const model = await open();
      const calm = await model.generate(request('Hello!'));
      const first = youngest();
      const begun = model.generate(longRequest(), { onToken: killOnce(signal) });
      const waiting = [model.generate(request('Hello!')), model.generate(request('Hello!'))];
      const error = await errorOf(begun);
      expect(error).toMatchObject({ code: 'INFERENCE_UNAVAILABLE', retryable: true });
      expect(error?.message).toContain(signal);
      expect(await Promise.all(waiting)).toEqual([calm, calm]);
      expect(youngest()).not.toBe(first);
    },
  );

  test('ignores the signals of a terminal', async () => {
    const model = await open();
    const pid = youngest();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    expect((await model.generate(request('Hello!'))).finish).toBe('stop');
    expect(youngest()).toBe(pid);
  });

  test('that dies again and again is given up, and then says so for good', async () => {
    const model = await open();
    const errors: (RuntimeError | null)[] = [];
    for (let death = 0; death <= limits.modelRestartsMax; death += 1) {
      errors.push(await errorOf(model.generate(longRequest(), { onToken: killOnce('SIGKILL') })));
    }
    expect(errors.map((error) => error?.retryable)).toEqual(errors.map(() => true));
    const terminal = await errorOf(model.generate(request('Hello!')));
    expect(terminal).toMatchObject({ code: 'INFERENCE_UNAVAILABLE', retryable: false });
    expect(modelProcesses()).toEqual([]);
  });

  test('is closed while it pauses before a restart', async () => {
    const model = await open();
    const dying = model.generate(longRequest(), { onToken: killOnce('SIGKILL') });
    const waiting = errorOf(model.generate(request('Hello!')));
    await errorOf(dying);
    await model.close();
    expect((await waiting)?.code).toBe('INFERENCE_ABORTED');
    expect(modelProcesses()).toEqual([]);
  });

  test('does not come back as another model', async () => {
    const modelFile = join(folder(), 'model.gguf');
    copyFileSync(embeddedModelFile, modelFile);
    const model = await open({ process: 'child', modelFile });
    copyFileSync(draftModelFile, modelFile);
    process.kill(youngest(), 'SIGKILL');
    // Either it was asked of the dying process, or of the one that comes back.
    await errorOf(model.generate(request('Hello!')));
    expect(await errorOf(model.generate(request('Hello!')))).toMatchObject({
      code: 'MODEL_INVALID',
      retryable: false,
    });
  });

  test('refuses a file that is none, and one that is cut short', async () => {
    const [none, short] = [join(folder(), 'none.gguf'), join(folder(), 'short.gguf')];
    writeFileSync(none, 'nothing of the kind');
    copyFileSync(embeddedModelFile, short);
    truncateSync(short, 1_000_000);
    for (const modelFile of [none, short]) {
      const error = await errorOf(
        openModel({ embeddedModelFile, cores: 2, process: 'child', modelFile }),
      );
      expect(error?.code).toBe('MODEL_INVALID');
    }
    expect(modelProcesses()).toEqual([]);
  });
});
