/**
 * Goal: executions have the documented value, code and limits, and leave no
 * process behind. Method: real pools with real processes; the process table
 * is read from /proc where the platform has it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { SandboxPool } from '../../src/sandbox/sandbox.ts';
import type { SandboxOutcome } from '../../src/sandbox/sandbox-outcome.ts';
import { eventually, sandboxPids } from './processes.ts';

const pool = new SandboxPool({ size: 2 });
afterAll(() => pool.close());

const onLinux = process.platform === 'linux';

async function value(source: string, options: object = {}): Promise<unknown> {
  const outcome = await pool.execute({ source, ...options });
  return outcome.ok ? outcome.value : outcome.error;
}

async function code(source: unknown, options: object = {}): Promise<string | undefined> {
  return (await pool.execute({ source: source as string, ...options })).error?.code;
}

describe('the value', () => {
  test.each([
    ['1 + 2', 3],
    ['const a = [1, 2]; ({ a, b: null, c: "ü" })', { a: [1, 2], b: null, c: 'ü' }],
    ['Promise.resolve({ deep: true })', { deep: true }],
    ['const x = await Promise.resolve(20); x * 2', 40],
    ['await (async () => "done")()', 'done'],
    ['var total = 0; for (const n of [1, 2, 3]) total += n;', 6],
    ['const nothing = 1', null],
    ['undefined', null],
    ['', null],
    ['({ gone: undefined, date: new Date(5) })', { date: '1970-01-01T00:00:00.005Z' }],
    ['// a comment at the end\n7 // seven', 7],
  ])('of %j is its awaited completion value', async (source, expected) => {
    expect(await value(source)).toEqual(expected);
  });

  test.each([
    '() => 1',
    'Symbol()',
    '10n',
    '0 / 0',
    '[1, 1 / 0]',
    'new Map()',
    'new Uint8Array(2)',
    '({ a: { f() {} } })',
    'class A {}; new A()',
    '"x".repeat(300000)',
    'let a = []; for (let i = 0; i < 200; i++) a = [a]; a',
  ])('of %s is refused, because it is not plain JSON of a bounded size', async (source) => {
    expect(await code(`${source}`)).toBe('SANDBOX_RESULT_INVALID');
  });

  test('may use the input', async () => {
    expect(await value('input.rows.map((n) => n + 1)', { input: { rows: [1, 2] } })).toEqual([
      2, 3,
    ]);
    expect(await value('typeof input')).toBe('undefined');
  });
});

describe('an error', () => {
  test('of the script carries its own message and its place', async () => {
    expect(await value('\n\nnull.field')).toEqual({
      code: 'SANDBOX_SCRIPT_ERROR',
      message: "TypeError: Cannot read properties of null (reading 'field') (line 3, column 6)",
    });
  });

  test('of the syntax names line and column', async () => {
    const error = await value('1;\nlet x = ;');
    expect(error).toMatchObject({ code: 'SANDBOX_SCRIPT_ERROR' });
    expect(error).toHaveProperty('message', expect.stringContaining('script.js:2:9'));
  });

  test.each([
    'throw null',
    'throw { a: 1 }',
    'throw Symbol("s")',
    'Promise.reject("no")',
    'await Promise.reject(new RangeError("r"))',
    'throw Object.create(null)',
  ])('is reported whatever is thrown: %s', async (source) => {
    expect(await code(source)).toBe('SANDBOX_SCRIPT_ERROR');
  });
});

describe('repeatability', () => {
  const source = `[Math.random(), Math.random(), Date.now(), new Date().getTime(), Date(),
    new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'long' }).format(),
    new Intl.DateTimeFormat('en').formatToParts().length, new Date(2020, 1, 1).toString(),
    typeof Temporal.Now, new (class extends Date {})().getTime(), new Date() instanceof Date]`;

  test('one seed and time give one value', async () => {
    const options = { seed: 7, timeMs: 1_700_000_000_000 };
    const first = await value(source, options);
    expect(await value(source, options)).toEqual(first);
    expect(first).toEqual([
      expect.any(Number),
      expect.any(Number),
      1_700_000_000_000,
      1_700_000_000_000,
      'Tue Nov 14 2023 22:13:20 GMT+0000 (Coordinated Universal Time)',
      expect.stringMatching(/^Tuesday, November 14, 2023.*10:13:20.*UTC$/),
      5,
      'Sat Feb 01 2020 00:00:00 GMT+0000 (Coordinated Universal Time)',
      'undefined',
      1_700_000_000_000,
      true,
    ]);
  });

  test('another seed gives other numbers, all of them from 0 to 1', async () => {
    const numbers = 'Array.from({ length: 1000 }, () => Math.random())';
    const first = (await value(numbers, { seed: 1 })) as number[];
    const second = (await value(numbers, { seed: 2 })) as number[];
    expect(new Set([...first, ...second]).size).toBe(2_000);
    expect(first.every((number) => number >= 0 && number < 1)).toBe(true);
    const mean = first.reduce((sum, number) => sum + number, 0) / first.length;
    expect(mean).toBeGreaterThan(0.45);
    expect(mean).toBeLessThan(0.55);
  });
});

describe('the console', () => {
  test('is captured', async () => {
    const outcome = await pool.execute({
      source: 'console.log("a", { b: 1 }); console.warn(2); 3',
    });
    expect(outcome).toMatchObject({ ok: true, value: 3, console: 'a {"b":1}\n2\n' });
  });

  test('is bounded', async () => {
    const { ok, console: text } = await pool.execute({
      source: 'for (let i = 0; i < 500; i++) console.log("x".repeat(1000)); 1',
    });
    expect(ok).toBe(true);
    expect(text?.length).toBe(limits.sandboxConsoleBytesMax);
  });

  test('is kept when the script fails', async () => {
    const outcome = await pool.execute({ source: 'console.error("why"); throw new Error("no")' });
    expect(outcome).toMatchObject({ ok: false, console: 'why\n' });
  });
});

test.each([
  ['x'.repeat(limits.sandboxScriptBytesMax + 1), {}],
  [5, {}],
  ['1', { timeoutMs: 0 }],
  ['1', { timeoutMs: limits.sandboxTimeoutMsMax + 1 }],
  ['1', { timeoutMs: 1.5 }],
  ['1', { memoryMb: 7 }],
  ['1', { memoryMb: limits.sandboxMemoryMbMax + 1 }],
  ['1', { cpuMs: 0 }],
  ['1', { cpuMs: 2 * limits.sandboxTimeoutMsMax + 1 }],
  ['1', { seed: -1 }],
  ['1', { timeMs: Number.NaN }],
  ['1', { input: { a: undefined } }],
  ['1', { input: 'x'.repeat(limits.sandboxInputBytesMax) }],
])('an unacceptable script or limit is refused without a process (%#)', async (source, options) => {
  expect(await code(source, options)).toBe('SANDBOX_INPUT_INVALID');
});

test('reports what an execution used', async () => {
  const busy = await pool.execute({ source: 'let n = 0; while (n < 2e7) n++; n' });
  expect(busy.ok).toBe(true);
  expect(busy.usage.wallMs).toBeGreaterThan(0);
  expect(busy.usage.cpuMs).toBeGreaterThan(0);
  const large = await pool.execute({
    source: 'const a = new Uint8Array(30 << 20).fill(1); a.length',
    memoryMb: 128,
  });
  expect(large.ok).toBe(true);
  expect(large.usage.memoryMb).toBeGreaterThan(25);
});

test.runIf(onLinux)(
  'ends a script at its limit of processor time, not one that waits',
  async () => {
    const limit = { cpuMs: 100, timeoutMs: 20_000 };
    expect(await code('for (;;);', limit)).toBe('SANDBOX_CPU');
    const waiting = { ...limit, timeoutMs: 400 };
    expect(await code('new Promise(() => {})', waiting)).toBe('SANDBOX_TIMEOUT');
  },
);

test('every execution begins with a fresh world', async () => {
  await value('globalThis.left = 1; Array.prototype.map = null; 1');
  expect(await value('[typeof left, [1].map((n) => n + 1)[0]]')).toEqual(['undefined', 2]);
});

test('more executions than processes wait their turn, and all are served', async () => {
  const count = limits.sandboxConcurrencyMax + 4;
  const values = await Promise.all(
    Array.from({ length: count }, (_, index) => value(`${index} * 2`)),
  );
  expect(values).toEqual(Array.from({ length: count }, (_, index) => index * 2));
});

test('an abort kills a running script, and one that has not begun', async () => {
  const controller = new AbortController();
  const options = { signal: controller.signal, timeoutMs: 60_000 };
  const running = pool.execute({ source: 'for (;;);', ...options });
  // A later execution has come to its end, so the earlier one is in its loop.
  expect(await value('1')).toBe(1);
  controller.abort();
  const outcome = await running;
  expect(outcome.error?.code).toBe('INTENTION_ABORTED');
  expect(outcome.usage.wallMs).toBeGreaterThan(0);
  expect(await code('1', options)).toBe('INTENTION_ABORTED');
});

test('an abort takes a script out of the queue, and its place goes to the next', async () => {
  const own = new SandboxPool({ size: 0 });
  const [running, queued] = [new AbortController(), new AbortController()];
  const many = Array.from({ length: limits.sandboxConcurrencyMax });
  const start = ({ signal }: AbortController) =>
    many.map(() =>
      own.execute({ source: 'await new Promise(() => {})', timeoutMs: 60_000, signal }),
    );
  const [occupying, waiting] = [start(running), start(queued)];
  const next = own.execute({ source: '7' });
  queued.abort();
  const codes = async (outcomes: Promise<SandboxOutcome>[]) =>
    new Set((await Promise.all(outcomes)).map(({ error }) => error?.code));
  expect(await codes(waiting)).toEqual(new Set(['INTENTION_ABORTED']));
  running.abort();
  expect(await codes(occupying)).toEqual(new Set(['INTENTION_ABORTED']));
  expect(await next).toMatchObject({ ok: true, value: 7 });
  await own.close();
});

test('close ends what runs, refuses what comes, and leaves no process', async () => {
  const other = new SandboxPool({ size: 1 });
  expect(await other.execute({ source: '1' })).toMatchObject({ ok: true });
  const running = other.execute({ source: 'for (;;);', timeoutMs: 60_000 });
  await other.close();
  expect((await running).error?.code).toBe('SANDBOX_CRASHED');
  expect((await other.execute({ source: '1' })).error?.code).toBe('SANDBOX_CRASHED');
});

describe.skipIf(!onLinux)('sandbox processes', () => {
  /** The process that starts while `act` begins. */
  async function startedBy(act: () => void): Promise<number> {
    // Nothing else starts meanwhile.
    await pool.warmed();
    const before = new Set(sandboxPids(process.pid));
    act();
    let pid: number | undefined;
    await eventually(() => {
      pid = sandboxPids(process.pid).find((child) => !before.has(child));
      return pid !== undefined;
    });
    return Number(pid);
  }

  test('have nothing in their environment but the time zone', async () => {
    await value('1');
    const [pid] = sandboxPids(process.pid);
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
    // Bubblewrap says where the process begins.
    expect(environment.filter((word) => word !== 'PWD=/')).toEqual(['TZ=UTC']);
  });

  test('are used once', async () => {
    const own = new SandboxPool({ size: 0 });
    const executions: Promise<unknown>[] = [];
    const pid = await startedBy(() =>
      executions.push(own.execute({ source: '1', timeoutMs: 60_000 })),
    );
    await Promise.all(executions);
    await eventually(() => !existsSync(`/proc/${pid}`));
    await own.close();
  });

  test('that die in the middle are a crash of the script, and others go on', async () => {
    const own = new SandboxPool({ size: 0 });
    const running: Promise<SandboxOutcome>[] = [];
    const pid = await startedBy(() =>
      running.push(own.execute({ source: 'for (;;);', timeoutMs: 60_000 })),
    );
    expect(await own.execute({ source: '5' })).toMatchObject({ ok: true, value: 5 });
    process.kill(pid, 'SIGKILL');
    expect((await running[0])?.error?.code).toBe('SANDBOX_CRASHED');
    await own.close();
  });

  test('that die while they wait are replaced', async () => {
    const own = new SandboxPool({ size: 1 });
    expect(await own.execute({ source: '1' })).toMatchObject({ ok: true });
    for (const pid of sandboxPids(process.pid)) process.kill(pid, 'SIGKILL');
    expect(await own.execute({ source: '2' })).toMatchObject({ ok: true, value: 2 });
    expect(await value('3')).toBe(3);
    await own.close();
  });

  test('end when their parent is killed, even inside an endless loop', async () => {
    const module = new URL('../../src/sandbox/sandbox.ts', import.meta.url).href;
    const program = `import { SandboxPool } from ${JSON.stringify(module)};
      const pool = new SandboxPool({ size: 1 });
      await pool.execute({ source: '1' });
      void pool.execute({ source: 'for (;;);', timeoutMs: 60000 });
      console.log('running');`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(parent.stdout, 'data');
    // The one that runs, and a warm one that has taken its place.
    await eventually(() => sandboxPids(Number(parent.pid)).length >= 2);
    const pids = sandboxPids(Number(parent.pid));
    parent.kill('SIGKILL');
    await eventually(() => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  });

  test('do not keep a program alive that is done', async () => {
    const module = new URL('../../src/sandbox/sandbox.ts', import.meta.url).href;
    const program = `import { SandboxPool } from ${JSON.stringify(module)};
      const { value } = await new SandboxPool({ size: 1 }).execute({ source: '6 * 7' });
      console.log(value);`;
    const done = spawn(process.execPath, ['--input-type=module', '-e', program]);
    const [[text], [status]] = await Promise.all([once(done.stdout, 'data'), once(done, 'exit')]);
    expect([String(text).trim(), status]).toEqual(['42', 0]);
  });
});
