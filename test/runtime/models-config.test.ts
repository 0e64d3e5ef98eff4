import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RuntimeError } from '../../src/kernel/errors.ts';
import { type RuntimeConfig, resolveConfig } from '../../src/runtime/config.ts';
import { modelSetSettings } from '../../src/runtime/model-settings.ts';

function configOf(text: string, environment: Record<string, string> = {}): RuntimeConfig {
  const folder = mkdtempSync(join(tmpdir(), 'claw-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'config.yaml'), text);
  return resolveConfig({
    flags: { config: 'config.yaml' },
    environment,
    cwd: folder,
    home: folder,
  });
}

function errorOf(text: string): RuntimeError {
  try {
    modelSetSettings(configOf(text));
  } catch (error) {
    return error as RuntimeError;
  }
  throw new Error('it is accepted');
}

describe('models: of the configuration file', () => {
  test('are files and endpoints beside the default model, under one cap', () => {
    const config = configOf(
      `modelMemoryMb: 4096
model: { file: base.gguf, tier: large }
models:
  - { name: quick, file: quick.gguf, tier: small, sequences: 4, process: child }
  - { name: far, baseUrl: "https://models.test/v1", model: big-1, apiKeyEnv: FAR_KEY }
`,
      { FAR_KEY: 'secret', OPENCLAW_API_KEY: 'other' },
    );
    const settings = modelSetSettings(config);
    expect(settings).toMatchObject({
      memoryMb: 4096,
      default: { tier: 'large' },
      others: [
        { name: 'quick', tier: 'small', model: { sequences: 4, process: 'child' } },
        {
          name: 'far',
          model: { baseUrl: 'https://models.test/v1', modelName: 'big-1', apiKey: 'secret' },
        },
      ],
    });
    expect(settings.others[0]?.model.modelFile).toMatch(/^\/.*quick\.gguf$/);
    expect(settings.others[0]?.model).not.toHaveProperty('apiKey');
  });

  test('say how large a window begins and becomes, and where they work', () => {
    const config = configOf(
      `model: { file: base.gguf, contextTokens: { max: 16384 }, device: cpu }
models:
  - { name: second, file: b.gguf, contextTokens: { start: 1024 }, device: "gpu:1", process: child }
`,
    );
    expect(modelSetSettings(config)).toMatchObject({
      default: { model: { contextTokens: { max: 16_384 }, device: 'cpu' } },
      others: [{ model: { contextTokens: { start: 1_024 }, device: 'gpu:1', process: 'child' } }],
    });
  });

  test('without them there is the default model alone, without a cap', () => {
    expect(modelSetSettings(configOf('port: 1\n'))).toMatchObject({ others: [], memoryMb: null });
  });

  test('a key that is not in the environment is missed when models are opened, not before', () => {
    const text = 'models:\n  - { name: far, baseUrl: "http://x.test/v1", apiKeyEnv: FAR_KEY }\n';
    expect(configOf(text).models).toHaveLength(1);
    expect(errorOf(text)).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('FAR_KEY'),
    });
  });

  test.each([
    ['models:\n  - name: a\n', ':2:5:', 'a file or a baseUrl'],
    ['models:\n  - name: a\n    file: a\n    baseUrl: http://x.test\n', ':2:5:', 'a file or a'],
    ['models:\n  - name: a\n    file: a.gguf\n    tier: remote\n', ':2:5:', 'not remote'],
    ['models:\n  - name: a\n    baseUrl: http://x.test\n    tier: small\n', ':2:5:', 'is remote'],
    ['models:\n  - name: a\n    file: a.gguf\n    apiKeyEnv: KEY\n', ':2:5:', 'apiKeyEnv'],
    ['models:\n  - name: a\n    file: a.gguf\n    tier: tiny\n', ':4:5:', 'models.0.tier'],
    ['models:\n  - name: a\n    file: a\n    apiKey: secret\n', ':4:5:', 'OPENCLAW_API_KEY'],
    ['models:\n  - { name: a, file: a }\n  - { name: a, file: b }\n', ':1:1:', 'the same name'],
    ['model: { file: a, device: "gpu:1" }\n', ':1:', 'process: child'],
    ['models:\n  - { name: a, file: a, device: "gpu:0" }\n', ':2:5:', 'process: child'],
    ['model: { device: gpu }\n', 'model.device is gpu', 'processor alone'],
    ['model: { file: a, device: npu }\n', ':1:', 'model.device'],
    ['model: { file: a, contextTokens: { start: 512, max: 256 } }\n', ':1:', 'larger than max'],
    ['model: { file: a, contextTokens: { max: 10 } }\n', ':1:', 'model.contextTokens.max'],
    ['models:\n  - { name: a, baseUrl: "http://x.test", device: gpu }\n', ':2:5:', 'leave device'],
    ['modelMemoryMb: 0\n', ':1:1:', 'modelMemoryMb'],
  ])('%j is refused by place and word', (text, place, word) => {
    const { code, message } = errorOf(text);
    expect(code).toBe('CONFIG_INVALID');
    expect(message).toContain(place);
    expect(message).toContain(word);
    expect(message).not.toContain('secret');
  });
});
