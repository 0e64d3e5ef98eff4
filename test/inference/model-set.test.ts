/** Several models under one cap: the embedded one and its draft, from real files. */
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ModelSet, type ModelSetSettings } from '../../src/inference/model-set.ts';
import type { ModelStatus } from '../../src/inference/model-status.ts';
import type { ModelSettings } from '../../src/inference/open-model.ts';
import type { RuntimeError } from '../../src/kernel/errors.ts';
import { sayWhole, startEndpointServer } from './endpoint-server.ts';
import { modelProcesses } from './model-processes.ts';
import { draftModelFile, embeddedModelFile, longRequest, request } from './requests.ts';

/** Of the embedded model 6.5 MiB, of its draft 1.3 MiB. */
const roomForOne = 7;
const roomForBoth = 8;

const base = { embeddedModelFile, cores: 2, deterministic: true, sequences: 1 };
const large: ModelSetSettings['default'] = { model: base, tier: 'large' };
const small = { name: 'draft', model: { ...base, modelFile: draftModelFile, trusted: true } };

async function open(settings: Partial<ModelSetSettings> = {}): Promise<ModelSet> {
  const set = new ModelSet({ default: large, others: [small], memoryMb: null, ...settings });
  onTestFinished(() => set.close());
  await set.open();
  return set;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'claw-models-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A file of its own that the set serves as `name`, and a way to put another in its place. */
function replaceable(name: string): {
  slot: { name: string; model: ModelSettings };
  replace: (by: string) => void;
} {
  const modelFile = join(folder(), 'model.gguf');
  copyFileSync(embeddedModelFile, modelFile);
  return {
    slot: { name, model: { ...base, modelFile, trusted: true } },
    replace: (by) => {
      // The file is mapped into memory: another takes its name, its content stays.
      copyFileSync(by, `${modelFile}.new`);
      renameSync(`${modelFile}.new`, modelFile);
    },
  };
}

async function canary() {
  const server = await startEndpointServer((response) => sayWhole(response, 'seen'));
  onTestFinished(() => server.close());
  return server;
}

async function states(set: ModelSet): Promise<Record<string, ModelStatus['state']>> {
  const models = await set.models();
  return Object.fromEntries(models.map(({ name, state }) => [name, state]));
}

async function errorOf(failing: Promise<unknown>): Promise<RuntimeError | null> {
  return failing.then(
    () => null,
    (error: RuntimeError) => error,
  );
}

/** Begins a long generation and waits for its first token. */
async function begin(set: ModelSet, model: string | null = null) {
  const first = Promise.withResolvers<void>();
  const stop = new AbortController();
  const ended = set.generate(longRequest({ model }), {
    onToken: () => first.resolve(),
    signal: stop.signal,
  });
  ended.catch(() => undefined);
  await first.promise;
  return { ended, stop };
}

describe('a set of models', () => {
  test('serves one model as it is, with nothing added', async () => {
    const set = await open({ others: [] });
    expect(set.info).not.toHaveProperty('alternatives');
    const outcome = await set.generate(request('Hello!'));
    expect(outcome).not.toHaveProperty('served');
    expect((await errorOf(set.generate(request('Hello!', { model: 'x' }))))?.code).toBe(
      'MODEL_UNKNOWN',
    );
  });

  test('loads a model when it is first named, and says which one answered', async () => {
    const set = await open();
    expect(await states(set)).toEqual({ 'tiny-agent': 'idle', draft: 'closed' });
    expect(set.info.alternatives).toEqual([{ name: 'draft', backend: 'llama.cpp' }]);
    const outcome = await set.generate(longRequest({ model: 'draft', maxTokens: 30 }));
    const [first, second] = await set.models();
    expect(first).toMatchObject({ name: 'tiny-agent', default: true, tier: 'large' });
    expect(second).toMatchObject({
      state: 'idle',
      tier: 'small',
      parameters: expect.toSatisfy((count: number) => count > 1e5 && count < 1e6),
      memoryBytes: 528_032 + 2_048 * 3 * 64 * 2,
      tokensPerSecond: expect.toSatisfy((speed: number) => speed > 0),
    });
    expect(outcome.served).toEqual({ model: 'draft', sha256: second?.sha256 });
    expect(second?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('closes what was used longest ago when there is no room, and loads it again', async () => {
    const set = await open({ memoryMb: roomForOne });
    const before = await set.generate(request('Hello!'));
    await set.generate(request('Hello!', { model: 'draft', maxTokens: 5 }));
    expect(await states(set)).toEqual({ 'tiny-agent': 'closed', draft: 'idle' });
    const after = await set.generate(request('Hello!'));
    expect(await states(set)).toEqual({ 'tiny-agent': 'idle', draft: 'closed' });
    expect(after).toEqual(before);
  });

  test('lets go of the one that was used longest ago, and not of another', async () => {
    const more = ['second', 'third'].map((name) => ({ ...small, name }));
    const set = await open({ default: small, others: more, memoryMb: 3 });
    for (const model of [null, 'second', null, 'third']) {
      await set.generate(request('Hello!', { model, maxTokens: 1 }));
    }
    expect(await states(set)).toEqual({
      draft: 'idle',
      second: 'closed',
      third: 'idle',
    });
  });

  test('closes the process of a model together with the model', async () => {
    const child = { ...small, model: { ...small.model, process: 'child' as const } };
    const set = await open({ others: [child], memoryMb: roomForOne });
    await set.generate(request('Hello!', { model: 'draft', maxTokens: 1 }));
    expect(modelProcesses()).toHaveLength(1);
    await set.generate(request('Hello!', { maxTokens: 1 }));
    expect(modelProcesses()).toEqual([]);
  });

  test('keeps both where both have room', async () => {
    const set = await open({ memoryMb: roomForBoth });
    await set.generate(request('Hello!', { model: 'draft', maxTokens: 5 }));
    expect(await states(set)).toEqual({ 'tiny-agent': 'idle', draft: 'idle' });
  });

  test('waits for a model in use, and those who came later wait behind', async () => {
    const set = await open({ memoryMb: roomForOne });
    const { ended } = await begin(set);
    const order: string[] = [];
    const note = (name: string) => () => order.push(name);
    const all = [
      ended.then(note('long')),
      set.generate(request('Hello!', { model: 'draft', maxTokens: 5 })).then(note('draft')),
      set.generate(request('Hello!')).then(note('late')),
    ];
    await Promise.all(all);
    expect(order).toEqual(['long', 'draft', 'late']);
  });

  test('lets go who waits for room and is aborted', async () => {
    const set = await open({ memoryMb: roomForOne });
    const { ended, stop } = await begin(set);
    const patience = new AbortController();
    const waiting = set.generate(request('Hello!', { model: 'draft' }), {
      signal: patience.signal,
    });
    patience.abort();
    expect((await errorOf(waiting))?.code).toBe('INFERENCE_ABORTED');
    expect((await set.generate(request('Hello!', { maxTokens: 1 }), {})).finish).toBe('length');
    stop.abort();
    await errorOf(ended);
  });

  test('refuses a model that alone is over the cap, and serves the others', async () => {
    const set = await open({
      default: small,
      others: [{ name: 'agent', model: base }],
      memoryMb: 5,
    });
    const error = await errorOf(set.generate(request('Hello!', { model: 'agent' })));
    expect(error).toMatchObject({ code: 'MODEL_TOO_LARGE', retryable: false });
    expect(error?.message).toContain('about 7 MiB');
    expect((await set.generate(request('Hello!', { maxTokens: 2 }))).finish).toBe('length');
    expect((await errorOf(open({ memoryMb: 5 })))?.code).toBe('MODEL_TOO_LARGE');
  });

  test('refuses a default model of the same name as another', async () => {
    const clash = open({ others: [{ ...small, name: 'tiny-agent' }] });
    expect((await errorOf(clash))?.code).toBe('CONFIG_INVALID');
  });

  test('keeps to the cap whatever many ask for at once', async () => {
    const { slot } = replaceable('copy');
    const set = await open({ others: [small, slot], memoryMb: roomForBoth });
    const names = ['tiny-agent', 'draft', 'copy'];
    const used: number[] = [];
    const look = async (): Promise<void> => {
      const loaded = (await set.models()).filter(({ state }) => state !== 'closed');
      used.push(loaded.reduce((sum, { memoryBytes }) => sum + (memoryBytes ?? 0), 0));
    };
    const answers = Array.from({ length: 12 }, async (_, index) => {
      const model = names[(index * 7 + (index >> 2)) % names.length] ?? null;
      const outcome = await set.generate(request(`Hello ${index}`, { model, maxTokens: 3 }));
      await look();
      return outcome.served?.model === model;
    });
    expect(await Promise.all(answers)).toEqual(answers.map(() => true));
    expect(Math.max(...used)).toBeLessThanOrEqual(roomForBoth * 2 ** 20);
  });

  test('closes while some wait for room', async () => {
    const set = await open({ memoryMb: roomForOne });
    const { ended } = await begin(set);
    const waiting = errorOf(set.generate(request('Hello!', { model: 'draft' })));
    const next = errorOf(set.generate(request('Hello!')));
    await set.close();
    expect((await errorOf(ended))?.code).toBe('INFERENCE_ABORTED');
    expect([(await waiting)?.code, (await next)?.code]).toEqual([
      'INFERENCE_ABORTED',
      'INFERENCE_ABORTED',
    ]);
    expect(await states(set)).toMatchObject({ draft: 'closed' });
  });
});

describe('a reload', () => {
  test.each([
    ['beside the old one', null],
    ['in the place of the old one, where both have no room', roomForOne],
  ])('takes the new file %s; what has begun ends on the old', async (_, memoryMb) => {
    const { slot, replace } = replaceable('swap');
    const set = await open({ default: small, others: [slot], memoryMb });
    const { ended } = await begin(set, 'swap');
    const [, before] = await set.models();
    replace(draftModelFile);
    const reloaded = set.reload('swap');
    const during = set.generate(request('Hello!', { model: 'swap', maxTokens: 4 }));
    const { sha256 } = await reloaded;
    expect(sha256).not.toBe(before?.sha256);
    expect((await ended).served?.sha256).toBe(before?.sha256);
    expect([before?.sha256, sha256]).toContain((await during).served?.sha256);
    const after = await set.generate(request('Hello!', { model: 'swap', maxTokens: 4 }));
    expect(after.served?.sha256).toBe(sha256);
  });

  test('of the default model changes what new runs are told', async () => {
    const { slot, replace } = replaceable('own');
    const set = await open({ default: { model: slot.model }, others: [] });
    expect(set.info.name).toBe('tiny-agent');
    replace(draftModelFile);
    await set.reload('tiny-agent');
    expect(set.info.name).toBe('tiny-agent-draft');
    expect((await set.generate(request('Hello!', { maxTokens: 2 }))).served?.sha256).toBe(
      set.info.sha256,
    );
  });

  test('of a file that is no model leaves the old one in service', async () => {
    const { slot, replace } = replaceable('swap');
    const set = await open({ default: small, others: [slot] });
    const before = await set.generate(request('Hello!', { model: 'swap' }));
    const none = join(folder(), 'none.gguf');
    writeFileSync(none, 'nothing of the kind');
    replace(none);
    expect((await errorOf(set.reload('swap')))?.code).toBe('MODEL_INVALID');
    expect(await set.generate(request('Hello!', { model: 'swap' }))).toEqual(before);
    expect((await errorOf(set.reload('nobody')))?.code).toBe('MODEL_UNKNOWN');
  });
});

describe('a local-only prompt', () => {
  test('reaches no endpoint, named or by default', async () => {
    const server = await canary();
    const far = { ...base, baseUrl: server.baseUrl, modelName: 'far' };
    const set = await open({ others: [{ name: 'far', model: far }] });
    const secret = request('Hello!', { privacy: 'local-only', model: 'far' });
    expect((await errorOf(set.generate(secret)))?.code).toBe('PRIVACY_LOCAL_ONLY');
    const remote = await open({ default: { model: far } });
    for (const model of [null, 'far', 'another']) {
      const refused = await errorOf(remote.generate({ ...secret, model }));
      expect(refused?.code).toBe('PRIVACY_LOCAL_ONLY');
    }
    expect(server.calls).toEqual([]);
    expect((await remote.generate({ ...secret, privacy: 'any' })).text).toBe('seen');
    expect((await remote.generate({ ...secret, model: 'draft', maxTokens: 2 })).finish).toBe(
      'length',
    );
    expect(server.calls).toHaveLength(1);
  });
});
