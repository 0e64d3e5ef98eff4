import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RuntimeError } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';
import { type ConfigFlags, embeddedModelFile, resolveConfig } from '../../src/runtime/config.ts';
import { sandboxPoolSettings } from '../../src/runtime/sandbox-config.ts';
import { layerPolicyDefault } from '../../src/sandbox/layers/layer.ts';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'claw-config-'));
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

function resolve(flags: ConfigFlags = {}, environment: Record<string, string> = {}) {
  return resolveConfig({ flags, environment, cwd: '/somewhere', home });
}

function writeConfig(text: string): string {
  const folder = join(home, '.config', 'openclaw-runtime');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'config.yaml');
  writeFileSync(path, text);
  return path;
}

function refusal(flags: ConfigFlags = {}, environment: Record<string, string> = {}): string {
  try {
    resolve(flags, environment);
  } catch (error) {
    expect((error as RuntimeError).code).toBe('CONFIG_INVALID');
    return (error as RuntimeError).message;
  }
  throw new Error('the configuration was accepted');
}

describe('without any setting', () => {
  test('the data directory is below the home directory, the port 7420, the model embedded', () => {
    expect(resolve()).toEqual({
      dataDirectory: join(home, '.local/share/openclaw-runtime'),
      host: '127.0.0.1',
      port: 7420,
      model: {},
      deterministic: false,
      journal: 'durable',
      debug: false,
    });
  });

  test('XDG_DATA_HOME moves the data directory, unless it is relative', () => {
    expect(resolve({}, { XDG_DATA_HOME: '/data' }).dataDirectory).toBe('/data/openclaw-runtime');
    expect(resolve({}, { XDG_DATA_HOME: 'data' }).dataDirectory).toBe(
      join(home, '.local/share/openclaw-runtime'),
    );
  });
});

describe('sources', () => {
  test('flags win over the environment, the environment over the file', () => {
    writeConfig('port: 1\ndata: /file\n');
    expect(resolve()).toMatchObject({ port: 1, dataDirectory: '/file' });
    const environment = { OPENCLAW_PORT: '2', OPENCLAW_HOME: '/environment' };
    expect(resolve({}, environment)).toMatchObject({ port: 2, dataDirectory: '/environment' });
    expect(resolve({ port: '3', data: 'flag' }, environment)).toMatchObject({
      port: 3,
      dataDirectory: '/somewhere/flag',
    });
  });

  test('the mode of the journal comes from any of them, and is one of two', () => {
    writeConfig('journal: relaxed\n');
    expect(resolve().journal).toBe('relaxed');
    expect(resolve({}, { OPENCLAW_JOURNAL: 'durable' }).journal).toBe('durable');
    const environment = { OPENCLAW_JOURNAL: 'durable' };
    expect(resolve({ journal: 'relaxed' }, environment).journal).toBe('relaxed');
    expect(refusal({ journal: 'fast' })).toContain('--journal is neither durable nor relaxed');
    expect(refusal({}, { OPENCLAW_JOURNAL: 'fast' })).toContain('OPENCLAW_JOURNAL is neither');
  });

  test('an empty variable counts as not set', () => {
    expect(resolve({}, { OPENCLAW_PORT: '', OPENCLAW_HOME: '' }).port).toBe(7420);
  });

  test('paths in the file begin at its folder or at the home directory', () => {
    const path = writeConfig('data: ~/claw\nmodel:\n  file: models/a.gguf\n');
    expect(resolve()).toMatchObject({
      dataDirectory: join(home, 'claw'),
      model: { file: join(path, '..', 'models/a.gguf') },
    });
  });

  test('XDG_CONFIG_HOME moves the file, and --config names another', () => {
    mkdirSync(join(home, 'xdg/openclaw-runtime'), { recursive: true });
    writeFileSync(join(home, 'xdg/openclaw-runtime/config.yaml'), 'port: 11\n');
    writeFileSync(join(home, 'other.yaml'), 'port: 12\nhosts: 3\n');
    expect(resolve({}, { XDG_CONFIG_HOME: join(home, 'xdg') }).port).toBe(11);
    expect(resolve({ config: join(home, 'other.yaml') })).toMatchObject({ port: 12, hosts: 3 });
  });

  test('the layers of the sandbox are required or may be missing, and nothing else', () => {
    writeConfig('sandbox: { bubblewrap: require, pool: 5 }\n');
    const { size, policy } = sandboxPoolSettings(resolve().sandbox);
    expect([size, policy]).toEqual([5, { ...layerPolicyDefault, bubblewrap: 'require' }]);
    expect(sandboxPoolSettings()).toEqual({
      size: limits.sandboxPoolSize,
      policy: {
        bubblewrap: 'degrade',
        seccomp: 'degrade',
        cgroup: 'degrade',
        permission: 'require',
      },
    });
    for (const text of [
      'sandbox: { seccomp: off }',
      'sandbox: { gvisor: require }',
      'sandbox: { pool: 99 }',
    ]) {
      writeConfig(`${text}\n`);
      expect(() => resolve()).toThrow(/config\.yaml:1:\d+: .*sandbox/);
    }
  });

  test('an empty file is a file without settings', () => {
    writeConfig('# nothing yet\n');
    expect(resolve().port).toBe(7420);
  });
});

describe('the model', () => {
  test('a file on the command line beats an endpoint in the environment', () => {
    expect(
      resolve(
        { model: 'm.gguf' },
        { OPENCLAW_BASE_URL: 'http://localhost:1/v1', OPENCLAW_API_KEY: 'secret' },
      ).model,
    ).toEqual({ file: '/somewhere/m.gguf' });
  });

  test('a file may be loaded in a child process, and nowhere else', () => {
    writeConfig('model:\n  file: m.gguf\n  process: child\n');
    expect(resolve().model).toMatchObject({ process: 'child' });
    writeConfig('model:\n  process: elsewhere\n');
    expect(() => resolve()).toThrow(/model\.process/);
  });

  test('an endpoint in the environment beats a file in the configuration file', () => {
    writeConfig('model:\n  file: m.gguf\n');
    const environment = {
      OPENCLAW_BASE_URL: 'http://localhost:1/v1',
      OPENCLAW_API_KEY: 'secret',
      OPENCLAW_MODEL_NAME: 'big',
    };
    expect(resolve({}, environment).model).toEqual({
      baseUrl: 'http://localhost:1/v1',
      apiKey: 'secret',
      name: 'big',
    });
  });

  test('both in one source are refused', () => {
    expect(
      refusal({}, { OPENCLAW_BASE_URL: 'http://localhost:1', OPENCLAW_MODEL: 'm.gguf' }),
    ).toContain('environment');
  });
});

describe('wrong values', () => {
  test.each(['-1', '65536', '1e3', 'http', '80.5'])('the port %s is refused by name', (port) => {
    expect(refusal({ port })).toContain('--port');
    expect(refusal({}, { OPENCLAW_PORT: port })).toContain('OPENCLAW_PORT');
  });

  test('an address that is not http is refused without showing a key', () => {
    const message = refusal({}, { OPENCLAW_BASE_URL: 'ftp://x', OPENCLAW_API_KEY: 'secret' });
    expect(message).toContain('OPENCLAW_BASE_URL');
    expect(message).not.toContain('secret');
  });

  test.each([
    ['port: 99999\n', ':1:1:', 'port'],
    ['data: /x\nmodel:\n  file: 4\n', ':3:3:', 'model.file'],
    ['data: /x\n\nprot: 1\n', ':3:1:', 'prot'],
    ['model:\n  apiKey: secret\n', ':2:3:', 'OPENCLAW_API_KEY'],
    ['host: 0.0.0.0\n', ':1:1:', 'host'],
    ['- a\n- b\n', ':1:1:', 'expected object'],
  ])('%j names file, line and column', (text, place, word) => {
    const path = writeConfig(text);
    const message = refusal();
    expect(message).toContain(`${path}${place}`);
    expect(message).toContain(word);
    expect(message).not.toContain('secret');
  });

  test('broken YAML names line and column', () => {
    const path = writeConfig('port: 1\ndata: "open\n');
    expect(refusal()).toContain(`${path}:`);
    expect(refusal()).toMatch(/:\d+:\d+: .*correct the YAML/);
  });

  test('aliases are not expanded', () => {
    writeConfig('data: &a /x\nmodel:\n  file: *a\n');
    expect(refusal()).toContain('aliases');
  });

  test('a named file that is absent is refused, an absent default one is not', () => {
    expect(refusal({ config: 'absent.yaml' })).toContain('/somewhere/absent.yaml');
    expect(resolve().port).toBe(7420);
  });

  test('a huge file is refused unread', () => {
    writeConfig(`# ${'x'.repeat(70_000)}\n`);
    expect(refusal()).toContain('64 KiB');
  });
});

test('the embedded model comes with the package', () => {
  expect(readFileSync(embeddedModelFile()).subarray(0, 4).toString()).toBe('GGUF');
});

describe('the door of the API', () => {
  test('is described by the section api:, with paths from the folder of the file', () => {
    const path = writeConfig(
      'host: localhost\napi: { host: 10.0.0.1, allowedHosts: [claw.example, "fd00::1"], tls: { cert: c.pem, key: ~/k.pem }, tokenFile: t }',
    );
    const config = resolve();
    expect(config.host).toBe('10.0.0.1');
    expect(config.api).toEqual({
      host: '10.0.0.1',
      allowedHosts: ['claw.example', 'fd00::1'],
      tls: { cert: join(path, '..', 'c.pem'), key: join(home, 'k.pem') },
      tokenFile: join(path, '..', 't'),
    });
    expect(resolve({ tokenFile: 'mine' }).api).toMatchObject({
      tokenFile: '/somewhere/mine',
      tokenFileByFlag: true,
    });
  });

  test('may be left out, and the older host: goes on to work', () => {
    expect(resolve().api).toBeUndefined();
    writeConfig('host: "::1"');
    expect(resolve().host).toBe('::1');
    expect(resolve({ tokenFile: 'mine' }).api).toEqual({
      tokenFile: '/somewhere/mine',
      tokenFileByFlag: true,
    });
  });

  test.each([
    'host: 10.0.0.1',
    'api: { host: "" }',
    'api: { host: "a b" }',
    'api: { host: 127.1 }',
    'api: { host: "[::1]" }',
    'api: { allowedHosts: ["*"] }',
    'api: { allowedHosts: [https://claw.example] }',
    'api: { tls: { cert: c.pem } }',
    'api: { requireToken: maybe }',
    'api: { token: x }',
  ])('is refused as %s, with its place', (text) => {
    writeConfig(text);
    expect(refusal()).toMatch(/config\.yaml:1:\d+: /);
  });
});

describe('clearance and policies', () => {
  test('come from the file, policies as a path beside it', () => {
    const path = writeConfig('clearance: { localOnlyFrom: secret }\npolicies: own/policies\n');
    const { clearance, policies } = resolve();
    expect(clearance).toEqual({ localOnlyFrom: 'secret' });
    expect(policies).toBe(join(path, '..', 'own/policies'));
    expect(resolve()).not.toHaveProperty('clearance.levels');
  });

  test('are refused with a level twice', () => {
    const path = writeConfig('clearance: { levels: [low, low] }\n');
    expect(refusal()).toContain(`${path}:1:`);
  });
});
