/**
 * Goal: a hostile script is stopped with the right code and harms neither the
 * runtime nor the next execution. Method: each attack runs in the real pool,
 * and right after it an honest script must have its value.
 */
import { afterAll, expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { SandboxPool } from '../../src/sandbox/sandbox.ts';

const pool = new SandboxPool({ size: limits.sandboxPoolSize });
afterAll(() => pool.close());

const shortTime = { timeoutMs: 300 };
const attack = (source: string, options: object = {}) => pool.execute({ source, ...options });

async function expectUnharmed(): Promise<void> {
  expect(await attack('JSON.stringify([1, 2].map((n) => n * 2))')).toMatchObject({
    ok: true,
    value: '[2,4]',
  });
}

test.each([
  ['a loop', 'for (;;);'],
  [
    'recursion through the event queue',
    '(function f() { Promise.resolve().then(f) })(); new Promise(() => {})',
  ],
  ['a loop of microtasks', '(async () => { for (;;) await 0 })()'],
  [
    'a loop of microtasks behind a value',
    '(async () => { for (;;) await 0 })(); await new Promise(() => {})',
  ],
  ['a promise that never settles', 'new Promise(() => {})'],
  ['a regular expression that backtracks', '/^(([a-z])+.)+[A-Z]([a-z])+$/.test("a".repeat(60))'],
  ['BigInt arithmetic', 'let x = 3n; for (;;) x = (x * x) % (2n ** 60000n)'],
  ['sorting with a comparator that never ends', '[3, 1, 2].sort(() => { for (;;); })'],
  ['a getter of the result', '({ get a() { for (;;); } })'],
  ['toJSON of the result', '({ toJSON() { for (;;); } })'],
  ['a proxy as result', 'new Proxy({}, { ownKeys() { for (;;); } })'],
  ['a thenable that never answers', '({ then() {} })'],
  ['a chain of thenables', 'const t = () => ({ then(resolve) { resolve(t()) } }); t()'],
  ['a getter of the thrown error', 'throw { get message() { for (;;); } }'],
  [
    'Error.prepareStackTrace',
    'Error.prepareStackTrace = () => { for (;;); }; throw new Error("x")',
  ],
  ['printing', 'for (;;) console.log("x".repeat(1000))'],
  ['a console argument', 'console.log({ toJSON() { for (;;); } })'],
  ['compiling', 'for (;;) new Function("return " + Math.random())'],
])('ends %s at the time limit', async (_name, source) => {
  expect((await attack(source, shortTime)).error?.code).toBe('SANDBOX_TIMEOUT');
  await expectUnharmed();
});

test.each([
  ['arrays', 'const a = []; for (;;) a.push(new Array(1000).fill(0.5))'],
  ['objects', 'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })'],
  [
    'strings',
    'const a = []; for (let i = 0; ; i++) { const s = "x".repeat(1 << 22) + i; s.charCodeAt(5); a.push(s) }',
  ],
  ['one string that doubles', 'let s = "x"; for (;;) s += s'],
  ['array buffers', 'const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))'],
  ['one huge array buffer', 'new ArrayBuffer(8 * 2 ** 30)'],
  [
    'memory behind top-level await',
    'await 0; const a = []; for (;;) a.push(new Array(1000).fill({}))',
  ],
  [
    'memory in a microtask',
    'const a = []; (async () => { for (;;) { await 0; a.push(new Array(10000).fill(1.5)) } })()',
  ],
  [
    'closures',
    'let f = () => 0; for (;;) { const g = f; const big = new Array(1000).fill(0.1); f = () => g || big }',
  ],
  [
    'a result that grows while it is written',
    'const a = []; ({ toJSON() { for (;;) a.push("x".repeat(1000).split("")) } })',
  ],
])('ends %s at the memory limit', async (_name, source) => {
  const outcome = await attack(source, { timeoutMs: 20_000, memoryMb: 32 });
  expect(outcome.error?.code).toBe('SANDBOX_MEMORY');
  await expectUnharmed();
});

test.each([
  ['process through the constructor', 'this.constructor.constructor("return process")().exit(0)'],
  ['process through a function', '(() => {}).constructor("process.exit(0)")()'],
  [
    'process through an async generator',
    '(async function* () {}).constructor("yield process.exit(0)")().next()',
  ],
  [
    'process through an error',
    'try { null.x } catch (e) { e.constructor.constructor("return process")().kill(1) }',
  ],
  ['process through the console', 'console.log.constructor("return process")().abort()'],
  ['process through the input', 'input.constructor.constructor("return process")().exit(1)'],
  ['require', 'require("child_process").execSync("true")'],
  ['a dynamic import', 'import("node:fs")'],
  ['a dynamic import of data', 'import("data:text/javascript,1")'],
  ['the network', 'fetch("http://127.0.0.1")'],
  ['shared memory', 'new SharedArrayBuffer(8)'],
  ['waiting', 'Atomics.wait(new Int32Array(8), 0, 0)'],
  ['WebAssembly', 'new WebAssembly.Memory({ initial: 1, shared: true, maximum: 1 })'],
  ['resizable buffers', 'new ArrayBuffer(0, { maxByteLength: 1 << 26 })'],
  ['transfer of buffers', 'new ArrayBuffer(8).transfer(16)'],
  [
    'resizable buffers through a buffer of the engine',
    'new (new Uint8Array(1).buffer.constructor)(0, { maxByteLength: 8 })',
  ],
  [
    'resizable buffers through a subclass',
    'new (class extends ArrayBuffer {})(0, { maxByteLength: 8 })',
  ],
  ['timers', 'setTimeout(() => {}, 1)'],
  ['V8 natives', '%DebugPrint(1)'],
  ['endless recursion', '(function f() { f() })()'],
  ['huge BigInt', '2n ** (2n ** 40n)'],
])('gives a script no %s', async (_name, source) => {
  expect((await attack(source, { input: {} })).error?.code).toBe('SANDBOX_SCRIPT_ERROR');
  await expectUnharmed();
});

test('shows a script nothing of the host among its globals', async () => {
  const { value } = await attack(
    `const own = (o) => Reflect.ownKeys(o).map(String);
     const seen = new Set(); const names = new Set();
     const walk = (o, d) => { if (d > 6 || (typeof o !== 'object' && typeof o !== 'function') || o === null || seen.has(o)) return;
       seen.add(o);
       for (const k of Reflect.ownKeys(o)) { names.add(String(k)); let v; try { v = o[k] } catch { continue } walk(v, d + 1) }
       walk(Reflect.getPrototypeOf(o), d + 1) };
     walk(globalThis, 0);
     ['process', 'require', 'ivm', 'Buffer', 'fetch', 'Isolate', '_ivm', 'SharedArrayBuffer', 'WebAssembly', 'Atomics', 'WeakRef', 'boot', 'run'].filter((n) => names.has(n))`,
  );
  expect(value).toEqual([]);
});

test.each([
  ['JSON', 'JSON.stringify = () => "\\"forged\\""; JSON.parse = null; 1'],
  [
    'toJSON of everything',
    'Object.prototype.toJSON = Array.prototype.toJSON = () => { throw 1 }; Number.prototype.toJSON = () => "forged"; delete Object.prototype.toJSON; delete Array.prototype.toJSON; delete Number.prototype.toJSON; 1',
  ],
  [
    'array built-ins',
    'Array.isArray = () => false; Array.prototype.push = Array.prototype[Symbol.iterator] = null; 1',
  ],
  [
    'setters of array places',
    'Object.defineProperty(Array.prototype, "0", { set() { throw 1 }, get() { return "error" } }); 1',
  ],
  [
    'promises',
    'Promise.prototype.then = () => { throw 1 }; Promise.resolve = null; globalThis.Promise = null; 1',
  ],
  [
    'strings and expressions',
    'String.prototype.slice = RegExp.prototype.exec = () => { throw 1 }; 1',
  ],
  [
    'reflection',
    'Object.getPrototypeOf = Reflect.construct = Object.defineProperty = () => { throw 1 }; 1',
  ],
  [
    'functions',
    'Function.prototype.call = Function.prototype.bind = Function.prototype.apply = null; eval = null; 1',
  ],
])('does not depend on %s after the script had its way with it', async (_name, source) => {
  expect(await attack(source)).toMatchObject({ ok: true, value: 1 });
});

test.each([
  ['a proxy without prototype', 'new Proxy({}, { getPrototypeOf() { throw new Error("trap") } })'],
  ['a getter that throws', '({ get a() { throw new Error("g") } })'],
  ['a circle', 'const a = []; a.push(a); a'],
  ['a revoked proxy', 'const { proxy, revoke } = Proxy.revocable([], {}); revoke(); [proxy]'],
  ['a function in disguise', '[Object.assign(() => 1, { toJSON: undefined })]'],
  ['more than the limit', 'Array.from({ length: 100000 }, (_, i) => "item " + i)'],
  ['wide characters beyond the limit', '"€".repeat(200000)'],
])('refuses %s as a result', async (_name, source) => {
  expect((await attack(source)).error?.code).toBe('SANDBOX_RESULT_INVALID');
  await expectUnharmed();
});

test.each([
  ['Object.defineProperty(Object.prototype, "then", { get() { throw new Error("then") } }); 1'],
  [
    'Object.prototype.then = function (resolve) { delete Object.prototype.then; resolve(["value", "{", 5]) }; 1',
  ],
  [
    'Object.prototype.then = function (resolve) { delete Object.prototype.then; resolve(["value", "[[[[", ""]) }; 1',
  ],
  [
    'Object.prototype.then = function (resolve) { delete Object.prototype.then; resolve(new Proxy([], {})) }; 1',
  ],
])('survives a forged answer of the isolate (%#)', async (source) => {
  const outcome = await attack(source, { timeoutMs: 2_000 });
  expect(outcome.ok).toBe(false);
  expect(outcome.error?.code).toMatch(/^SANDBOX_(SCRIPT_ERROR|RESULT_INVALID|TIMEOUT)$/);
  await expectUnharmed();
});

test('keeps "__proto__" of a result as data', async () => {
  const { value } = await attack('JSON.parse(`{"__proto__": {"polluted": 1}}`)');
  expect(Object.hasOwn(value as object, '__proto__')).toBe(true);
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});
