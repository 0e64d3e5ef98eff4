import { all, type Family } from './payload.ts';

const small = { timeoutMs: 20_000, memoryMb: 32 };

export const memory: Family = {
  title: 'memory',
  payloads: [
    ...all(
      ['SANDBOX_MEMORY', 'SANDBOX_CRASHED'],
      [
        ['arrays', 'const a = []; for (;;) a.push(new Array(1000).fill(0.5))'],
        ['arrays of arrays', 'let a = [1]; for (;;) a = [...a, ...a, [a]]'],
        ['maps', 'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })'],
        ['sets', 'const s = new Set(); for (let i = 0; ; i++) s.add("k" + i)'],
        [
          'weak maps with living keys',
          'const w = new WeakMap(), k = []; for (;;) { const o = {}; k.push(o); w.set(o, new Array(100).fill(1)) }',
        ],
        [
          'strings',
          'const a = []; for (let i = 0; ; i++) { const s = "x".repeat(1 << 22) + i; s.charCodeAt(5); a.push(s) }',
        ],
        ['one string that doubles', 'let s = "x"; for (;;) s += s'],
        ['padding', 'const a = []; for (;;) a.push("".padEnd(1 << 24, "ab" + a.length))'],
        ['symbols', 'const a = []; for (let i = 0; ; i++) a.push(Symbol.for("key" + i))'],
        ['array buffers', 'const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))'],
        ['float arrays', 'const a = []; for (;;) a.push(new Float64Array(1 << 17).fill(1))'],
        ['one huge array buffer', 'new ArrayBuffer(8 * 2 ** 30)'],
        [
          'memory behind top-level await',
          'await 0; const a = []; for (;;) a.push(new Array(1000).fill({}))',
        ],
        [
          'memory in a microtask',
          'const a = []; (async () => { for (;;) { await 0; a.push(new Array(10000).fill(1.5)) } })()',
        ],
        ['promises that wait', 'const a = []; for (;;) a.push(new Promise(() => {}))'],
        [
          'closures',
          'let f = () => 0; for (;;) { const g = f; const big = new Array(1000).fill(0.1); f = () => g || big }',
        ],
        [
          'generators',
          'const a = []; for (;;) { const g = (function* () { const b = new Array(500).fill(1); yield b })(); g.next(); a.push(g) }',
        ],
        [
          'errors with their stacks',
          'const a = []; for (;;) { const e = new Error("x".repeat(1000) + a.length); e.stack; a.push(e) }',
        ],
        ['properties', 'const o = {}; for (let i = 0; ; i++) o["p" + i] = i'],
        ['a linked list', 'let n = null; for (;;) n = { n, v: [n] }'],
        ['BigInts', 'const a = []; for (let i = 1n; ; i++) a.push((1n << 200000n) + i)'],
        [
          'a result that grows while it is written',
          'const a = []; ({ toJSON() { for (;;) a.push("x".repeat(1000).split("")) } })',
        ],
        [
          'regular expression matches',
          'const a = []; const s = "ab".repeat(100000); for (;;) a.push([...s.matchAll(/./g)])',
        ],
        ['dates', 'const a = []; for (let i = 0; ; i++) a.push(new Date(i))'],
        ['proxies', 'const a = []; for (;;) a.push(new Proxy({}, { get: () => a }))'],
      ],
      small,
    ),
    ...all(
      ['SANDBOX_MEMORY', 'SANDBOX_CRASHED', 'SANDBOX_TIMEOUT'],
      [
        [
          'joined strings',
          'const a = []; for (;;) a.push(new Array(1 << 16).join("xyz" + a.length))',
        ],
        [
          'code',
          'const a = []; for (let i = 0; ; i++) a.push(new Function("return [" + "1,".repeat(2000) + i + "]"))',
        ],
        [
          'Intl formatters',
          'const a = []; for (let i = 0; ; i++) a.push(new Intl.DateTimeFormat(["en", "de", "ja", "ar"][i & 3], { dateStyle: "full", timeStyle: "full" }))',
        ],
        [
          'Intl number formats',
          'const a = []; for (;;) a.push(new Intl.NumberFormat("ar-EG", { style: "currency", currency: "EUR" }))',
        ],
        [
          'Intl collators',
          'const a = []; for (;;) { const c = new Intl.Collator("zh"); c.compare("a", "b"); a.push(c) }',
        ],
        [
          'Intl segmenters',
          'const a = []; for (;;) a.push([...new Intl.Segmenter("th").segment("a".repeat(1000))])',
        ],
      ],
      { timeoutMs: 1_000, memoryMb: 32 },
    ),
    ...all(
      ['SANDBOX_SCRIPT_ERROR'],
      [
        ['a resizable buffer', 'new ArrayBuffer(0, { maxByteLength: 1 << 30 })'],
        [
          'a resizable buffer of the engine',
          'new (new Uint8Array(1).buffer.constructor)(0, { maxByteLength: 8 })',
        ],
        [
          'a resizable buffer through a subclass',
          'new (class extends ArrayBuffer {})(0, { maxByteLength: 8 })',
        ],
        [
          'a resizable buffer through species',
          'class B extends ArrayBuffer {}; new B[Symbol.species](0, { maxByteLength: 8 })',
        ],
        ['a buffer that is transferred', 'new ArrayBuffer(8).transfer(1 << 30)'],
        ['a buffer that is resized', 'new ArrayBuffer(8).resize(1 << 30)'],
        ['a shared buffer', 'new SharedArrayBuffer(8)'],
        [
          'a shared buffer that grows',
          'new SharedArrayBuffer(1, { maxByteLength: 1 << 30 }).grow(1 << 30)',
        ],
        ['waiting on shared memory', 'Atomics.wait(new Int32Array(8), 0, 0)'],
        ['WebAssembly memory', 'new WebAssembly.Memory({ initial: 1, maximum: 65536 })'],
        [
          'a WebAssembly module',
          'new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))',
        ],
        ['a weak reference', 'new WeakRef({})'],
        ['a finalization registry', 'new FinalizationRegistry(() => {})'],
        ['a string of more than the engine holds in its message', 'null["x".repeat(1 << 20)]'],
      ],
    ),
  ],
};
