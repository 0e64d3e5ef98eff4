import { all, type Family } from './payload.ts';

export const escapes: Family = {
  title: 'constructor and error-stack escapes',
  payloads: [
    ...all(
      ['SANDBOX_SCRIPT_ERROR'],
      [
        ['the constructor of this', 'this.constructor.constructor("return process")().exit(0)'],
        ['the constructor of a function', '(() => {}).constructor("process.exit(0)")()'],
        ['an async function', '(async () => {}).constructor("return process")()'],
        ['a generator', '(function* () {}).constructor("yield process.exit(0)")().next()'],
        [
          'an async generator',
          '(async function* () {}).constructor("yield process.exit(0)")().next()',
        ],
        [
          'an error',
          'try { null.x } catch (e) { e.constructor.constructor("return process")().kill(1) }',
        ],
        ['the console', 'console.log.constructor("return process")().abort()'],
        ['the input', 'input.constructor.constructor("return process")().exit(1)'],
        [
          'a rejected promise',
          'try { await import("x") } catch (e) { e.constructor.constructor("return process")().exit(1) }',
        ],
        [
          'a promise of the world',
          'Promise.resolve().constructor.constructor("return process")().exit(1)',
        ],
        ['the date', 'Date.constructor("return process")().exit(1)'],
        [
          'an Intl formatter',
          'new Intl.DateTimeFormat().format.constructor("return process")().exit(1)',
        ],
        [
          'call sites',
          'Error.prepareStackTrace = (_, sites) => sites; const [s] = new Error().stack; s.getThis().constructor.constructor("return process")().exit(1)',
        ],
        [
          'functions of call sites',
          'Error.prepareStackTrace = (_, sites) => sites; new Error().stack.map((s) => s.getFunction()).find(Boolean).constructor("return process")().exit(1)',
        ],
        [
          'caller',
          '(function f() { return f.caller.caller })().constructor("return process")().exit(1)',
        ],
        ['arguments of a caller', '(function f() { return f.caller.arguments[0] })().exit(1)'],
        [
          'captured stack traces',
          'const o = {}; Error.captureStackTrace(o); o.stack.constructor.constructor("return process")().exit(1)',
        ],
        ['require', 'require("child_process").execSync("true")'],
        ['a module', 'module.constructor._load("fs")'],
        ['the main module', 'process.mainModule.require("fs")'],
        ['bindings', 'process.binding("spawn_sync")'],
        ['isolates', 'new ivm.Isolate()'],
        ['the network', 'fetch("http://127.0.0.1")'],
        ['timers', 'setTimeout(() => {}, 1)'],
        ['a realm', 'new ShadowRealm().evaluate("process")'],
        ['V8 natives', '%DebugPrint(1)'],
        ['global of sloppy functions', '(function () { return this })().process.exit(1)'],
        ['with and unscopables', 'with ({ [Symbol.unscopables]: { x: true } }) { x.process }'],
        ['endless recursion', '(function f() { f() })()'],
        ['a huge BigInt', '2n ** (2n ** 40n)'],
      ],
      { input: {} },
    ),
    {
      // Compiling at the very end of the stack ends the engine, and so the process.
      name: 'a stack overflow',
      source:
        '(function f() { try { f() } catch (e) { e.constructor.constructor("return process")().exit(1) } })()',
      contained: ['SANDBOX_SCRIPT_ERROR', 'SANDBOX_CRASHED'],
    },
    {
      name: 'a world without anything of the host',
      source: `const seen = new Set(); const names = new Set();
        const walk = (o, d) => { if (d > 6 || (typeof o !== 'object' && typeof o !== 'function') || o === null || seen.has(o)) return;
          seen.add(o);
          for (const k of Reflect.ownKeys(o)) { names.add(String(k)); let v; try { v = o[k] } catch { continue } walk(v, d + 1) }
          walk(Reflect.getPrototypeOf(o), d + 1) };
        walk(globalThis, 0);
        ['process', 'require', 'ivm', 'Buffer', 'fetch', 'Isolate', '_ivm', 'SharedArrayBuffer', 'WebAssembly', 'Atomics',
         'WeakRef', 'FinalizationRegistry', 'ShadowRealm', 'boot', 'run', 'resize', 'maxByteLength', 'transfer'].filter((n) => names.has(n))`,
      contained: { value: [] },
    },
    {
      name: 'stacks that tell of the host',
      source:
        'const { stack } = new Error(); /[/\\\\](usr|home|root|work|node_modules)/.test(stack) || /node:/.test(stack)',
      contained: { value: false },
    },
  ],
};
