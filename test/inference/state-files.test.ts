import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LlamaContextSequence, Token } from 'node-llama-cpp';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StateFiles } from '../../src/inference/state-files.ts';
import { testFolder } from '../runtime/running.ts';
import { embeddedModelFile } from './requests.ts';

let llama: Awaited<ReturnType<typeof getLlama>>;
let one: LlamaContextSequence;
let other: LlamaContextSequence;
let tokens: Token[];

beforeAll(async () => {
  llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    logLevel: LlamaLogLevel.error,
  });
  const model = await llama.loadModel({ modelPath: embeddedModelFile });
  const context = await model.createContext({ contextSize: 2_048, sequences: 2, threads: 1 });
  one = context.getSequence();
  other = context.getSequence();
  tokens = model.tokenize('Hello team, the inspection is moved to 21 January. Thanks!'.repeat(4));
});

afterAll(() => llama.dispose());

function kept(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.kv')).map((name) => join(folder, name));
}

async function read(
  length = tokens.length,
): Promise<{ tokens: Token[]; read: number; owner: string }> {
  await one.clearHistory();
  await one.evaluateWithoutGeneratingNewTokens(tokens.slice(0, length));
  return { tokens: one.contextTokens, read: length, owner: 'run' };
}

async function next(sequence: LlamaContextSequence): Promise<string> {
  const last = sequence.contextTokens.at(-1) as Token;
  const end = sequence.contextTokens.length;
  await sequence.eraseContextTokenRanges([{ start: end - 1, end }]);
  const said: string[] = [];
  const sampling = sequence.evaluateWithMetadata([last], { confidence: true }, { temperature: 0 });
  for await (const { token, confidence } of sampling) {
    said.push(`${token}:${confidence}`);
    if (said.length === 8) break;
  }
  return said.join(' ');
}

describe('a state in a file', () => {
  it('goes on in another sequence, to the last bit', async () => {
    const files = new StateFiles(join(testFolder(), 'states'));
    const state = await read();
    await files.save(one, state);
    const [stored] = files.states;
    expect(stored).toMatchObject({ tokens: state.tokens, read: tokens.length });
    expect(await files.load(other, stored as never)).toBe(true);
    expect(other.contextTokens).toEqual(state.tokens);
    expect(await next(other)).toBe(await next(one));
    files.close();
  });

  it.each([
    [
      'a bit of it',
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
        writeFileSync(path, bytes);
      },
    ],
    ['its end', (path: string) => truncateSync(path, statSync(path).size - 1)],
    ['all of it', (path: string) => writeFileSync(path, '')],
  ])('is thrown away when somebody changed %s', async (_, change) => {
    const folder = join(testFolder(), 'states');
    const files = new StateFiles(folder);
    await files.save(one, await read());
    const [name = ''] = kept(folder);
    change(name);
    expect(await files.load(other, files.states[0] as never)).toBe(false);
    expect(other.contextTokens).toEqual([]);
    expect(files.usage).toEqual({ files: 0, bytes: 0, refused: 1 });
    expect(kept(folder)).toEqual([]);
    files.close();
  });

  it('replaces those that only begin like it, and goes with its owner', async () => {
    const folder = join(testFolder(), 'states');
    const files = new StateFiles(folder);
    await files.save(one, await read(20));
    await files.save(one, await read(40));
    expect(files.states.map((state) => state.read)).toEqual([40]);
    await files.save(one, { ...(await read(30)), owner: 'other' });
    await files.forget('run');
    expect(files.states.map((state) => state.read)).toEqual([30]);
    expect(kept(folder)).toHaveLength(1);
    files.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('makes room for the next, the one used longest ago first', async () => {
    const folder = join(testFolder(), 'states');
    const first = new StateFiles(folder);
    await first.save(one, await read(40));
    const { bytes } = first.usage;
    first.close();
    const files = new StateFiles(folder, 2 * bytes);
    const [a, b, c] = [tokens.slice(0, 30), tokens.slice(1, 31), tokens.slice(2, 32)];
    for (const part of [a, b, c]) {
      await one.clearHistory();
      await one.evaluateWithoutGeneratingNewTokens(part);
      await files.save(one, { tokens: one.contextTokens, read: 30, owner: undefined });
      // It is used again, so the second is the oldest.
      if (part === b) await files.load(other, files.states[0] as never);
    }
    expect(files.states.map((state) => state.tokens)).toEqual([a, c]);
    const [own = ''] = readdirSync(folder);
    expect(statSync(join(folder, own)).mode & 0o777).toBe(0o700);
    files.close();
  });

  it('that cannot be written is no failure', async () => {
    const folder = join(testFolder(), 'states');
    const files = new StateFiles(folder);
    files.close();
    await files.save(one, await read(20));
    expect(files.states).toEqual([]);
  });
});
