import { all, type Family } from './payload.ts';

const short = { timeoutMs: 250 };

export const loops: Family = {
  title: 'endless loops',
  payloads: [
    ...all(
      ['SANDBOX_TIMEOUT'],
      [
        ['for', 'for (;;);'],
        ['while with a try that swallows', 'for (;;) { try { null.x } catch {} }'],
        ['finally that begins anew', '(function f() { try { for (;;); } finally { f() } })()'],
        ['generator', '(function* () { for (;;) yield 1 })().forEach(() => {})'],
        ['labelled jumps', 'outer: for (;;) { for (;;) continue outer }'],
        ['microtasks', '(async () => { for (;;) await 0 })()'],
        [
          'microtasks behind a value',
          '(async () => { for (;;) await 0 })(); await new Promise(() => {})',
        ],
        [
          'promises that make promises',
          '(function f() { Promise.resolve().then(f) })(); new Promise(() => {})',
        ],
        [
          'two chains of microtasks',
          'const f = () => Promise.resolve().then(f).then(f); f(); f(); await new Promise(() => {})',
        ],
        ['async iteration', 'for await (const _ of (async function* () { for (;;) yield 0 })());'],
        ['a promise that never settles', 'new Promise(() => {})'],
        ['a thenable that never answers', '({ then() {} })'],
        ['a chain of thenables', 'const t = () => ({ then(resolve) { resolve(t()) } }); t()'],
        ['nested eval', 'for (;;) eval("1")'],
        ['compiling', 'for (;;) new Function("return " + Math.random())'],
        ['sorting with a comparator that never ends', '[3, 1, 2].sort(() => { for (;;); })'],
      ],
      short,
    ),
    ...all(
      ['SANDBOX_TIMEOUT', 'SANDBOX_MEMORY', 'SANDBOX_SCRIPT_ERROR'],
      [
        [
          'native indexOf over an array-like',
          'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)',
        ],
        [
          'native lastIndexOf over an array-like',
          'Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)',
        ],
        [
          'native includes over an array-like',
          'Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)',
        ],
        ['native join of nothing', 'Array.prototype.join.call({ length: 2 ** 32 - 2 })'],
        [
          'native reverse over an array-like',
          'Array.prototype.reverse.call({ length: 2 ** 53 - 1 })',
        ],
        ['native fill over an array-like', 'Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 0)'],
        [
          'native copyWithin over an array-like',
          'Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 1, 0)',
        ],
        ['native sort of holes', 'const a = []; a.length = 2 ** 32 - 1; a.sort()'],
        [
          'native slice of a proxy',
          'Array.prototype.slice.call(new Proxy({ length: 2 ** 32 - 1 }, {}))',
        ],
        [
          'native unshift over an array-like',
          'Array.prototype.unshift.call({ length: 2 ** 53 - 2 }, 1)',
        ],
        [
          'native reduce over a proxy',
          'Array.prototype.reduce.call(new Proxy({ length: 2 ** 53 - 1 }, { has: () => true }), (a) => a, 0)',
        ],
        ['native Array.from of an array-like', 'Array.from({ length: 2 ** 32 - 1 }, () => 0)'],
        ['native apply', 'Math.max.apply(null, { length: 2 ** 31 })'],
        [
          'native JSON over a proxy',
          'JSON.stringify(new Proxy([], { get: (_, k) => k === "length" ? 2 ** 53 - 1 : k === "toJSON" ? undefined : 0 }))',
        ],
        [
          'native structured names',
          'Object.fromEntries((function* () { for (let i = 0; ; i++) yield ["k" + (i & 7), i] })())',
        ],
        [
          'native string search',
          'const s = "a".repeat(1 << 26); for (;;) s.includes("a".repeat(1 << 12) + "b")',
        ],
        [
          'native localeCompare',
          'const s = "é".repeat(1 << 24); for (;;) s.localeCompare(s + "x")',
        ],
        ['native normalize', 'const s = "\\u0344".repeat(1 << 20); for (;;) s.normalize("NFD")'],
        [
          'a regular expression that backtracks',
          '/^(([a-z])+.)+[A-Z]([a-z])+$/.test("a".repeat(60))',
        ],
        ['a regular expression with nested stars', '/(a*)*b/.test("a".repeat(40))'],
        ['a regular expression with lookahead', '/(?=((a+)+)b)/.test("a".repeat(60))'],
        ['a regular expression with back references', '/^(a|aa)+\\1$/.test("a".repeat(60) + "b")'],
        ['replacing by a regular expression', '"a".repeat(1 << 22).replace(/(a|b|ab)*(?=c)/g, "")'],
        ['a split by a regular expression', '"x".repeat(50000).split(/(x+x+)+y/)'],
        ['BigInt arithmetic', 'let x = 3n; for (;;) x = (x * x) % (2n ** 60000n)'],
        ['BigInt powers', 'for (let i = 1n; ; i++) 7n ** (i * 100000n)'],
        ['BigInt to text', 'for (;;) (3n ** 900000n).toString()'],
        [
          'BigInt from text',
          'BigInt("9".repeat(1 << 22)) * BigInt("7".repeat(1 << 22)) % BigInt("3".repeat(1 << 21))',
        ],
      ],
      { timeoutMs: 400, memoryMb: 32 },
    ),
  ],
};
