import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type Operation, operation, pureOperations } from '../../src/actuators/actuator.ts';
import { fileActuator } from '../../src/actuators/file.ts';
import { sandboxActuator } from '../../src/actuators/sandbox.ts';
import { Sandboxes } from '../../src/sandbox/sandboxes.ts';
import { actuatorContext } from './actuator-context.ts';

const pool = new Sandboxes({ size: 1 });
afterAll(() => pool.close());
const tools = pureOperations(fileActuator());
const { run, script } = sandboxActuator(pool, tools).operations as Record<
  'run' | 'script',
  Operation
>;

async function value(args: object, signal = new AbortController().signal): Promise<unknown> {
  return run.perform(run.arguments.parse(args), actuatorContext('/', { signal }));
}

test('gives the value of a script', async () => {
  expect(await value({ source: 'input.a + input.b', input: { a: 310, b: 95 } })).toBe(405);
  expect(await value({ source: 'const x = 1' })).toBeNull();
});

test.each([
  ['throw new Error("no")', 'SANDBOX_SCRIPT_ERROR'],
  ['for (;;);', 'SANDBOX_TIMEOUT'],
  ['() => 1', 'SANDBOX_RESULT_INVALID'],
])(
  'what a script does wrong is a failure that a retry would meet again: %s',
  async (source, code) => {
    await expect(value({ source, timeoutMs: 300 })).rejects.toMatchObject({
      code,
      retryable: false,
    });
  },
);

test('an abort stops the script', async () => {
  const controller = new AbortController();
  const running = value({ source: 'for (;;);', timeoutMs: 60_000 }, controller.signal);
  controller.abort();
  await expect(running).rejects.toMatchObject({ code: 'INTENTION_ABORTED' });
});

test('mounts files, and gives what the script leaves where that was asked for', async () => {
  const source =
    'await fs.writeFile("/out/r", (await fs.readFile("/docs/a/b.txt", "utf8")).toUpperCase()); 1';
  const files = { 'a/b.txt': 'text' };
  expect(await value({ source, files })).toBe(1);
  expect(await value({ source, files, outputs: true })).toEqual({
    value: 1,
    files: [
      {
        path: 'r',
        bytes: 4,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        mediaType: 'application/octet-stream',
        base64: Buffer.from('TEXT').toString('base64'),
      },
    ],
  });
  await expect(value({ source: '1', files: { 'a\\b': '' } })).rejects.toMatchObject({
    code: 'SANDBOX_MOUNT_INVALID',
  });
  await expect(
    value({ source: 'await fs.writeFile("/out/x", "y".repeat(600000))' }),
  ).rejects.toMatchObject({ code: 'SANDBOX_OUTPUT' });
});

test('grants a script the tools that are named, in the workspace of its run', async () => {
  const workspace = mkdtempSync(join(tmpdir(), 'openclaw-tools-'));
  try {
    writeFileSync(join(workspace, 'a.txt'), 'in the workspace');
    const ask = (source: string, granted?: string[]) =>
      run.perform(run.arguments.parse({ source, tools: granted }), actuatorContext(workspace));
    expect(await ask('(await tools.file.read({ path: "a.txt" })).text', ['file.read'])).toBe(
      'in the workspace',
    );
    expect(await ask('[typeof tools.file, Object.keys(tools)]')).toEqual(['undefined', []]);
    expect(await ask('typeof tools.file.list', ['file.read'])).toBe('undefined');
    expect(
      await ask('const e = await tools.file.read({ path: "../x" }).catch((e) => e); e.code', [
        'file.read',
      ]),
    ).toMatch(/^[A-Z_]+$/);
    expect(
      await ask('const e = await tools.file.read({ other: 1 }).catch((e) => e); e.code', [
        'file.read',
      ]),
    ).toBe('INTENTION_INVALID');
    for (const name of ['file.write', 'file.append', 'constructor', 'file']) {
      await expect(ask('1', [name])).rejects.toMatchObject({ code: 'SANDBOX_INPUT_INVALID' });
    }
  } finally {
    rmSync(workspace, { recursive: true });
  }
});

test('a tool that leaves a trace cannot be granted at all', () => {
  const writing = operation({
    effect: 'idempotent',
    arguments: z.unknown(),
    result: z.unknown(),
    perform: async () => null,
  });
  expect(() => sandboxActuator(pool, { 'file.write': writing })).toThrow(/only if it is pure/);
});

test('runs shell and Python scripts', async () => {
  const ask = (args: object) => script.perform(script.arguments.parse(args), actuatorContext('/'));
  expect(
    await ask({ source: 'cat /docs/a; cat', language: 'sh', files: { a: 'x' }, input: [1] }),
  ).toBe('x[1]');
  expect(
    await ask({ source: 'open("/out/r","w").write("y")', language: 'py', outputs: true }),
  ).toMatchObject({
    value: '',
    files: [{ path: 'r', base64: 'eQ==' }],
  });
  await expect(ask({ source: 'exit 4', language: 'bash' })).rejects.toMatchObject({
    code: 'SANDBOX_SCRIPT_ERROR',
    retryable: false,
  });
  expect(script.effect).toBe('pure');
  expect(() => script.arguments.parse({ source: '', language: 'js' })).toThrow();
});
