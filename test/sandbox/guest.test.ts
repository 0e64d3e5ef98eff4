/**
 * Goal: what a script finds inside its isolate is what the documents say, is
 * bounded, and is the same each time. Method: real executions in a real pool.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { executionLimits, type GivenLimits } from '../../src/sandbox/execution-limits.ts';
import type { Mount } from '../../src/sandbox/mount.ts';
import { OverlayFileSystem } from '../../src/sandbox/overlay-file-system.ts';
import { type SandboxExecution, SandboxPool } from '../../src/sandbox/sandbox.ts';
import { traversalStrings } from './traversal-strings.ts';

const pool = new SandboxPool({ size: 2 });
afterAll(() => pool.close());

const mounts: Mount[] = [{ at: '/docs', files: new Map([['a.txt', Buffer.from('one\n')]]) }];

function fileSystem(given: GivenLimits = {}): OverlayFileSystem {
  const own = executionLimits(given);
  if (typeof own === 'string') throw new Error(own);
  return new OverlayFileSystem({ mounts, limits: own });
}

function execute(source: string, options: Partial<SandboxExecution> = {}) {
  return pool.execute({ source, fileSystem: fileSystem(options.limits), ...options });
}

async function value(source: string, options: Partial<SandboxExecution> = {}): Promise<unknown> {
  const outcome = await execute(source, options);
  return outcome.ok ? outcome.value : outcome.error;
}

/** A script whose value is the code of what it throws. */
const codeOf = (act: string) =>
  `const code = await (async () => { ${act} })().then(() => 'none', (e) => e instanceof Error ? e.code ?? e.name : 'no error'); code`;

describe('calls that nobody waits for', () => {
  test.each([
    ['one', 'fs.writeFile("/out/0", ""); 1', 1],
    [
      'many, more than go at once',
      'for (let i = 0; i < 200; i++) fs.writeFile("/out/" + i, ""); 1',
      200,
    ],
    [
      'of a chain that is not waited for',
      '(async () => { for (let i = 0; i < 20; i++) await fs.writeFile("/out/" + i, ""); })(); 1',
      20,
    ],
    ['when the value is asked for', '({ get a() { fs.writeFile("/out/0", ""); return 1; } })', 1],
  ])('are carried out before the end, each time: %s', async (_what, source, files) => {
    for (let round = 0; round < 5; round += 1) {
      const outcome = await execute(source);
      expect(outcome.ok).toBe(true);
      expect(outcome.files).toHaveLength(files);
    }
  });

  test('and fail are nobody’s failure', async () => {
    expect(await value('fs.readFile("/none"); 7')).toBe(7);
  });
});

describe('TypeScript', () => {
  test.each([
    ['const n: number = 40; interface A { b: string }; (n + 2) as number', 42],
    ['type P<T> = { [K in keyof T]: T[K] }; const f = <T,>(x: T): T => x; f<number>(7)', 7],
    ['const x = await Promise.resolve(1 as const); x satisfies number', 1],
  ])('%s', async (source, expected) => {
    expect(await value(source, { language: 'ts' })).toBe(expected);
  });

  test('that needs code of its own is refused, with the reason', async () => {
    expect(await value('enum A { B }; A.B', { language: 'ts' })).toMatchObject({
      code: 'SANDBOX_SCRIPT_ERROR',
      message: expect.stringContaining('enum is not supported'),
    });
  });

  test('keeps the places of errors, and is no JavaScript', async () => {
    const source = 'const a: string = "";\nconst b: number = 1; null.x';
    const there = {
      code: 'SANDBOX_SCRIPT_ERROR',
      message: expect.stringContaining('(line 2, column 27)'),
    };
    expect(await value(source, { language: 'ts' })).toMatchObject(there);
    expect(await value(source)).toMatchObject({ message: expect.stringContaining('SyntaxError') });
    expect((await execute('1', { language: 'py' as 'js' })).error?.code).toBe(
      'SANDBOX_INPUT_INVALID',
    );
  });
});

describe('the main function', () => {
  test.each([
    ['export default async function main(input) { return input.a + 1 }', 4],
    ['export default async (input) => { await 0; return input.a * 2 }', 6],
    ['export const k = 2;\nexport default (input) => input.a ** k;', 9],
    ['const z = await 5;\nexport default function (input) { return input.a + z }', 8],
    ['function main(input) { return input.a }', 3],
    ['async function main({ a }) { await fs.writeFile("/x", "y"); return a }', 3],
    ['const z = await 5; async function main(input) { return input.a + z }', 8],
    ['function main() { return 1 } main()', 1],
    ['function main() { return 1 } const x = 5; x', 5],
    ['const main = () => 1; const kept = main', null],
    ['const text = `\nexport default 1`; text.length', 17],
  ])('of %j', async (source, expected) => {
    expect(await value(source, { input: { a: 3 } })).toEqual(expected);
  });

  test('that throws is an error of the script, with its place', async () => {
    const source = 'export default async function main() {\n  throw new RangeError("no");\n}';
    expect(await value(source)).toEqual({
      code: 'SANDBOX_SCRIPT_ERROR',
      message: 'RangeError: no (line 2, column 9)',
    });
  });
});

describe('the file system', () => {
  test('reads and writes, as text and as bytes', async () => {
    const source = `
      await fs.mkdir('/a/b', { recursive: true });
      await fs.writeFile('/a/b/t', 'grün €\\u{1f600}');
      await fs.appendFile('/a/b/t', new Uint8Array([0, 255]).subarray(1));
      await fs.writeFile('/a/v', new DataView(new Uint8Array([1, 2, 3]).buffer, 1, 1));
      await fs.writeFile('/a/w', new Uint16Array([258]));
      await fs.appendFile('/a/w', new Uint8Array([9]).buffer);
      await fs.rename('/a/v', '/a/b/moved');
      const entry = (await fs.readdir('/a', { withFileTypes: true }))[0];
      const status = await fs.promises.stat('/a/b/t');
      ({
        text: await fs.readFile('/a/b/t', 'utf8'),
        part: Array.from(await fs.readFile('/a/b/t', { offset: 9, length: 9 })),
        view: Array.from(await fs.readFile('/a/b/moved')),
        wide: Array.from(await fs.readFile('/a/w')),
        names: await fs.readdir('/a'),
        entry: [entry.name, entry.isDirectory(), entry.isFile()],
        status: [status.size, status.isFile(), status.isDirectory()],
        docs: await fs.readFile('docs/a.txt', { encoding: 'utf-8' }),
        root: await fs.readdir('/'),
      })`;
    expect(await value(source)).toEqual({
      text: 'grün €\u{1f600}\ufffd',
      part: [0xf0, 0x9f, 0x98, 0x80, 0xff],
      view: [2],
      wide: [2, 1, 9],
      names: ['b', 'w'],
      entry: ['b', true, false],
      status: [14, true, false],
      docs: 'one\n',
      root: ['a', 'docs', 'out'],
    });
  });

  test('carries every byte at its place, in parts of any length', async () => {
    const source = `
      for (const key of ['0', '1', '4095', '4096']) Object.defineProperty(Object.prototype, key, { configurable: true, set() { throw new Error('seen') } });
      const wrong = [];
      for (const length of [0, 1, 255, 4095, 4096, 4097, 8192, 100000]) {
        const bytes = new Uint8Array(length).map((_, at) => (at * 7 + (at >> 8)) & 255);
        await fs.writeFile('/x', bytes);
        const read = await fs.readFile('/x');
        if (read.length !== length || read.some((byte, at) => byte !== bytes[at])) wrong.push(length);
      }
      wrong.join()`;
    expect(await value(source)).toBe('');
  });

  test.each([
    ["await fs.readFile('/none')", 'ENOENT'],
    ["await fs.readFile('/docs')", 'EISDIR'],
    ["await fs.readdir('/docs/a.txt')", 'ENOTDIR'],
    ["await fs.mkdir('/docs')", 'EEXIST'],
    ["await fs.writeFile('\\\\\\\\host\\\\share', '')", 'EINVAL'],
    ["await fs.rm('/', { recursive: true })", 'EACCES'],
    ["await fs.readFile('/docs/a.txt', { offset: -1 })", 'EINVAL'],
    ["await fs.readFile('/docs/a.txt', { offset: NaN })", 'EINVAL'],
    ["await fs.readFile('/docs/a.txt', 'latin1')", 'TypeError'],
    ['await fs.readFile({ toString: () => "/docs/a.txt" })', 'TypeError'],
    ["await fs.writeFile('/x', { a: 1 })", 'TypeError'],
    ["await fs.writeFile('/x', new Proxy(new Uint8Array(1), {}))", 'TypeError'],
    ["await fs.writeFile('/x', 'y'.repeat(2 ** 20 + 1))", 'EMSGSIZE'],
  ])('%s fails with %s, which the script can catch', async (act, code) => {
    expect(await value(codeOf(act))).toBe(code);
  });

  test('of thousands of paths none leads out of it', async () => {
    const paths = traversalStrings().filter((_, index) => index % 3 === 0);
    const source = `
      const seen = new Map();
      for (let at = 0; at < input.length; at += 200) {
        await Promise.all(input.slice(at, at + 200).map((path) => fs.readFile(path, 'utf8').then(
          (text) => { throw new Error('read ' + path + ': ' + text) },
          (error) => seen.set(error.code, (seen.get(error.code) ?? 0) + 1),
        )));
      }
      Object.fromEntries(seen)`;
    let count = 0;
    // A script's input is bounded, so they come in parts.
    for (let at = 0; at < paths.length; at += 2_000) {
      const part = paths.slice(at, at + 2_000).map((path) => path.toWellFormed());
      const codes = (await value(source, { input: part, timeoutMs: 20_000 })) as Record<
        string,
        number
      >;
      expect(Object.keys(codes).sort().join()).toMatch(/^[EACDEGILMNOPRSTV,]*$/);
      expect(codes).not.toHaveProperty('undefined');
      count += Object.values(codes).reduce((sum, n) => sum + n, 0);
    }
    expect(count).toBe(paths.length);
    expect(count).toBeGreaterThan(2_000);
  });

  test('dies with the execution, and only what lies under /out is told of', async () => {
    const system = fileSystem();
    const outcome = await execute(
      "await fs.writeFile('/secret', 'x'); await fs.mkdir('/out/d'); await fs.writeFile('/out/d/r.json', '{}'); 1",
      { fileSystem: system },
    );
    expect(outcome.files).toEqual([
      {
        path: 'd/r.json',
        bytes: 2,
        sha256: '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
        mediaType: 'application/json',
      },
    ]);
    expect(await value("fs.readdir('/')")).toEqual(['docs', 'out']);
    const failed = await execute("await fs.writeFile('/out/x', 'y'); throw 1");
    expect(failed).not.toHaveProperty('files');
  });
});

describe('limits', () => {
  test.each<[string, GivenLimits, string]>([
    ['SANDBOX_CALLS', { calls: 3 }, "for (;;) await fs.stat('/')"],
    ['SANDBOX_FILES', { files: 3 }, "for (let i = 0; ; i++) await fs.writeFile('/' + i, '')"],
    ['SANDBOX_FILES', { fileBytes: 100 }, "for (;;) await fs.appendFile('/x', 'y'.repeat(30))"],
    [
      'SANDBOX_FILES',
      { totalBytes: 100 },
      "for (let i = 0; ; i++) await fs.writeFile('/' + i, 'y'.repeat(30))",
    ],
    ['SANDBOX_OUTPUT', { outputBytes: 100 }, "await fs.writeFile('/out/x', 'y'.repeat(101))"],
    ['SANDBOX_MESSAGE', { messageBytes: 1_024 }, "await fs.writeFile('/x', 'y'.repeat(1025))"],
    ['SANDBOX_MESSAGE', { messageBytes: 1_024 }, "await fs.writeFile('/x', new Uint8Array(1025))"],
    [
      'SANDBOX_MESSAGE',
      { messageBytes: 1_024 },
      "for (let i = 0; i < 3; i++) await fs.appendFile('/x', 'y'.repeat(1000)); await fs.readFile('/x')",
    ],
  ])('a script that ends at one fails with %s', async (code, given, source) => {
    expect((await execute(source, { limits: given })).error?.code).toBe(code);
  });

  test('can be met and caught, up to the exact number', async () => {
    const source = `${codeOf("await fs.writeFile('/x', 'é'.repeat(513))").replace('; code', '')}
      await fs.writeFile('/x', 'é'.repeat(512));
      await fs.writeFile('/y', 'a'.repeat(1024));
      [code, (await fs.stat('/x')).size]`;
    expect(await value(source, { limits: { messageBytes: 1_024, calls: 3 } })).toEqual([
      'EMSGSIZE',
      1_024,
    ]);
    const four = `${source.replace(/\[code.*$/s, '')} await fs.stat('/x'); await fs.stat('/x')`;
    expect((await execute(four, { limits: { messageBytes: 1_024, calls: 3 } })).error?.code).toBe(
      'SANDBOX_CALLS',
    );
  });

  test('that are unacceptable are refused', async () => {
    for (const given of [
      { calls: -1 },
      { files: 0.5 },
      { messageBytes: 1 },
      { outputBytes: limits.sandboxOutputBytesMax + 1 },
    ]) {
      expect((await pool.execute({ source: '1', limits: given })).error?.code).toBe(
        'SANDBOX_INPUT_INVALID',
      );
    }
  });

  test('more calls at once than may be unanswered wait their turn', async () => {
    const count = limits.sandboxCallsInFlightMax * 5;
    const source = `const all = await Promise.all(Array.from({ length: ${count} }, (_, i) =>
      fs.appendFile('/x', i + ','))); (await fs.readFile('/x', 'utf8')).split(',').length`;
    expect(await value(source)).toBe(count + 1);
  });
});

describe('tools', () => {
  const slow = new Map<string, () => void>();
  const calls: unknown[] = [];
  const tools = {
    names: ['math.add', 'echo', 'wait', 'fail', 'odd', 'large'],
    async call(name: string, args: unknown) {
      calls.push([name, args]);
      if (name === 'math.add') return (args as { a: number }).a + 1;
      if (name === 'fail')
        throw Object.assign(new Error('it failed'), { code: 'E_OWN', secret: 's' });
      if (name === 'odd') return new Date() as never;
      if (name === 'large') return 'x'.repeat(2 ** 20 + 1);
      if (name === 'wait') await new Promise<void>((resolve) => slow.set('wait', resolve));
      return args as never;
    },
  };

  test('are the granted ones, and nothing else', async () => {
    const source = `[Object.keys(tools).sort(), Object.keys(tools.math), Object.isFrozen(tools),
      await tools.math.add({ a: 1 }), await tools.echo({ deep: [1, { x: null }] }), await tools.echo()]`;
    expect(await value(source, { tools })).toEqual([
      ['echo', 'fail', 'large', 'math', 'odd', 'wait'],
      ['add'],
      true,
      2,
      { deep: [1, { x: null }] },
      {},
    ]);
    expect(await value('Object.keys(tools)')).toEqual([]);
    expect(await value('tools.echo({})')).toMatchObject({ code: 'SANDBOX_SCRIPT_ERROR' });
  });

  test('tell code and message of a failure, and nothing more', async () => {
    const source = `await tools.fail().catch((e) => [e.code, e.message, Object.keys(e), e.stack.includes('/src/')])`;
    expect(await value(source, { tools })).toEqual(['E_OWN', 'it failed', ['code'], false]);
  });

  test.each([
    ['await tools.echo({ f() {} })', 'TypeError'],
    ['await tools.echo(1n)', 'TypeError'],
    ['const a = {}; a.a = a; await tools.echo(a)', 'TypeError'],
    ['await tools.echo("x".repeat(300000))', 'EINVAL'],
    ['let a = 1; for (let i = 0; i < 200; i++) a = [a]; await tools.echo(a)', 'EINVAL'],
    ['await tools.odd()', 'EINVAL'],
    ['await tools.large()', 'EMSGSIZE'],
  ])('take and give plain JSON of a bounded size: %s', async (act, code) => {
    expect(await value(codeOf(act), { tools })).toBe(code);
  });

  test.each([
    [['a', 'a']],
    [['a', 'a.b']],
    [['A b']],
    [['__proto__']],
    [['constructor.']],
    [Array.from({ length: 65 }, (_, i) => `t${i}`)],
  ])('of unacceptable names are refused: %j', async (names) => {
    const outcome = await execute('1', { tools: { names, call: tools.call } });
    expect(outcome.error?.code).toBe('SANDBOX_INPUT_INVALID');
  });

  test('that answer late hold back what was asked after them, so that the order is that of the calls', async () => {
    const source = `const order = [];
      await Promise.all([
        tools.wait().then(() => order.push('slow')),
        fs.stat('/').then(() => order.push('quick')),
        tools.echo().then(() => order.push('last')),
      ]);
      order`;
    const running = value(source, { tools });
    while (!slow.has('wait')) await new Promise((resolve) => setTimeout(resolve, 1));
    // The quick ones were answered long ago, as far as the runtime goes.
    await new Promise((resolve) => setTimeout(resolve, 20));
    slow.get('wait')?.();
    expect(await running).toEqual(['slow', 'quick', 'last']);
  });

  test('in progress are aborted when the script is over', async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiting = {
      names: ['wait'],
      call: (_name: string, _args: unknown, signal: AbortSignal) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => {
            resolve(true);
            reject(new Error('aborted'));
          });
        }),
    };
    expect(
      (
        await execute('tools.wait(); await fs.stat("/none").catch(() => 0); 1', {
          tools: waiting,
          timeoutMs: 300,
        })
      ).error?.code,
    ).toBe('SANDBOX_TIMEOUT');
    expect(await promise).toBe(true);
  });
});

describe('the console', () => {
  test('keeps the levels, line by line', async () => {
    const { lines, console: text } = await execute(
      'console.log("a", 1); console.info("b"); console.warn("two\\nlines"); console.error(new Error("e")); console.debug({ d: 1 }); console.trace(); 1',
    );
    expect(lines).toEqual([
      { level: 'log', text: 'a 1' },
      { level: 'info', text: 'b' },
      { level: 'warn', text: 'two\nlines' },
      { level: 'error', text: '{}' },
      { level: 'debug', text: '{"d":1}' },
      { level: 'trace', text: '' },
    ]);
    expect(text).toBe('a 1\nb\ntwo\nlines\n{}\n{"d":1}\n\n');
  });

  test('is bounded in lines too', async () => {
    const { lines } = await execute('for (let i = 0; i < 20000; i++) console.log(""); 1');
    expect(lines?.length).toBe(limits.sandboxConsoleLinesMax);
  });
});

describe('nothing of the host', () => {
  test('is in what a script can reach from fs, tools, their errors and their results', async () => {
    const source = `
      const found = new Set();
      const seen = new Set();
      const walk = (o, depth) => {
        if (depth > 8 || o === null || (typeof o !== 'object' && typeof o !== 'function') || seen.has(o)) return;
        seen.add(o);
        for (const key of Reflect.ownKeys(o)) {
          found.add(String(key));
          const d = Reflect.getOwnPropertyDescriptor(o, key);
          walk(d.value, depth + 1); walk(d.get, depth + 1); walk(d.set, depth + 1);
        }
        walk(Reflect.getPrototypeOf(o), depth + 1);
      };
      const error = await fs.readFile('/none').catch((e) => e);
      const status = await fs.stat('/');
      walk({ fs, tools, error, status, entries: await fs.readdir('/', { withFileTypes: true }), bytes: await fs.readFile('/docs/a.txt') }, 0);
      [
        ['process', 'require', 'applySync', 'applyIgnored', 'deref', 'derefInto', 'copySync', 'Isolate', 'ivm', 'send', 'answer', 'Buffer'].filter((n) => found.has(n)),
        error instanceof Error, error.constructor === Error, fs.readFile.constructor === (async () => {}).constructor,
        (await fs.readFile('/docs/a.txt')).constructor === Uint8Array,
        fs.readFile('/none').catch(() => 0).constructor === Promise,
      ]`;
    expect(await value(source)).toEqual([[], true, true, true, true, true]);
  });

  test.each([
    [
      'the stack of an error',
      `
      let sites = [];
      Error.prepareStackTrace = (e, s) => { sites.push(...s); return '' };
      const error = await fs.readFile('/none').catch((e) => { void e.stack; return e });
      void new Error('x').stack;
      [sites.length > 0, sites.every((s) => s.getThis() === undefined || s.getThis() === globalThis), sites.map((s) => s.getFunction()).filter((f) => typeof f === 'function' && f.name !== '').map((f) => f.name)]`,
      [true, true, []],
    ],
    [
      'callers',
      `
      const seen = [];
      const shown = { toJSON: function spy() { seen.push(String(spy.caller)); return 1 } };
      console.log(shown);
      seen`,
      ['null'],
    ],
    [
      'then of everything',
      `
      Object.defineProperty(Object.prototype, 'then', { configurable: true, get() { return undefined } });
      const s = await fs.stat('/docs/a.txt');
      delete Object.prototype.then;
      s.size`,
      4,
    ],
    [
      'JSON, maps and strings that lie',
      `
      JSON.parse = JSON.stringify = () => 'null';
      String.prototype.slice = String.prototype.split = String.prototype.charCodeAt = () => { throw 1 };
      WeakMap.prototype.get = WeakMap.prototype.set = () => { throw 1 };
      Array.prototype[Symbol.iterator] = null;
      Object.defineProperty(Uint8Array.prototype.__proto__, 'byteLength', { get: () => 2 ** 40 });
      Promise.prototype.then = null;
      Object.prototype.toJSON = () => 'forged';
      fs.writeFile('/x', new Uint8Array([65, 66]))`,
      null,
    ],
    [
      'accessors on indices and keys',
      `
      for (const k of ['name', 'args', 'kind', 'data', 'resolve', 'reject', 'path', 'code', 'type', '0', '1']) {
        Object.defineProperty(Object.prototype, k, { configurable: true, set() { throw new Error('setter ' + k) }, get() { return undefined } });
      }
      const size = (await fs.stat('/docs/a.txt')).size;
      const read = await fs.readFile('/docs/a.txt', 'utf8');
      size + read`,
      '4one\n',
    ],
  ])('is shown by %s', async (_what, source, expected) => {
    expect(await value(source)).toEqual(expected);
  });
});

describe('replay', () => {
  const source = `
    const events = [];
    const random = () => Math.floor(Math.random() * 1e9);
    const worker = async (name) => {
      for (let turn = 0; turn < 6; turn += 1) {
        const path = '/out/' + name;
        await fs.appendFile(path, name + turn + ':' + random() + '\\n');
        events.push(name + turn);
        if (random() % 2 === 0) await fs.stat(path);
        if (random() % 3 === 0) console.info(name, turn, Date.now(), new Date().toISOString());
        if (random() % 3 === 0) await tools.echo({ name, turn });
      }
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(worker));
    await fs.rm('/docs/a.txt');
    ({ events, input, names: await fs.readdir('/out'), zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
       locale: new Intl.NumberFormat().resolvedOptions().locale, text: (1234.5).toLocaleString(), when: new Date(2020, 5, 1).toString() })`;

  async function once(seed: number) {
    const system = fileSystem();
    const tools = {
      names: ['echo'],
      async call(_name: string, args: unknown) {
        // How long a tool takes must not matter.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
        return args as never;
      },
    };
    const outcome = await pool.execute({
      source,
      input: { k: [1] },
      seed,
      timeMs: 1_600_000_000_000,
      fileSystem: system,
      tools,
    });
    const { usage: _usage, ...same } = outcome;
    const files = system.outputs().map(({ path, bytes }) => [path.join('/'), bytes.toString()]);
    return { ...same, contents: files };
  }

  test('one source, input, seed, time and mounts give one value, console and files', async () => {
    const first = await once(5);
    expect(first.ok).toBe(true);
    expect(first.value).toMatchObject({ zone: 'UTC', locale: 'en-US', text: '1,234.5' });
    expect(first.lines?.length).toBeGreaterThan(0);
    for (let turn = 0; turn < 4; turn += 1) expect(await once(5)).toEqual(first);
    expect((await once(6)).contents).not.toEqual(first.contents);
  });
});
