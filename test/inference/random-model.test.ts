import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLlamaModel } from '../../src/inference/llama-model.ts';
import type { ModelPort } from '../../src/inference/model-port.ts';
import { request } from './requests.ts';

const models = join(import.meta.dirname, '../../models');
const folder = mkdtempSync(join(tmpdir(), 'openclaw-random-model-'));
const file = join(folder, 'random.gguf');
const opened: ModelPort[] = [];

afterAll(async () => {
  for (const each of opened) await each.close();
  rmSync(folder, { recursive: true });
});

describe('the model with random weights', () => {
  it('is the file of its card, and answers all the tokens that are asked for', async () => {
    execFileSync(process.execPath, [join(models, 'train/random.mjs'), file]);
    const model = await openLlamaModel({ file, trusted: true, device: 'cpu', cores: 2 });
    opened.push(model);
    const card = readFileSync(join(models, 'MODEL_CARD.md'), 'utf8');
    expect(card).toContain(`SHA-256 \`${model.info.sha256}\``);
    expect(readFileSync(join(models, 'train/make.mjs'), 'utf8')).toContain(model.info.sha256);
    expect(model.info).toMatchObject({ name: 'random-50m', contextTokens: 4096 });
    const answers = ['Hello', 'Where does Priya live?'].map(async (question) => {
      const outcome = await model.generate(request(question, { maxTokens: 24 }));
      expect(outcome).toMatchObject({ finish: 'length', usage: { answerTokens: 24 } });
      return outcome.text;
    });
    const [hello, where] = await Promise.all(answers);
    expect(hello).not.toBe(where);
  });
});
