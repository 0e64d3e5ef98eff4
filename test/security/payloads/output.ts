import { all, type Family } from './payload.ts';

export const output: Family = {
  title: 'output bombs',
  payloads: [
    ...all({ value: 'done' }, [
      ['many lines', 'for (let i = 0; i < 100000; i++) console.log("line", i); "done"'],
      ['one long line', 'console.log("x".repeat(1 << 26)); "done"'],
      ['wide characters', 'console.log("€𝄞".repeat(1 << 22)); "done"'],
      ['halves of characters', 'console.log("\\ud800".repeat(1 << 20)); "done"'],
      ['control characters', 'console.log("\\u001b[2J\\u0007\\0".repeat(100000)); "done"'],
      [
        'a deep argument',
        'let a = []; for (let i = 0; i < 3000; i++) a = [a]; console.log(a); "done"',
      ],
      ['a circle', 'const a = {}; a.a = a; console.error(a); "done"'],
      [
        'a large argument',
        'console.log(Array.from({ length: 300000 }, (_, i) => "item " + i)); "done"',
      ],
    ]),
    ...all(
      ['SANDBOX_RESULT_INVALID'],
      [
        ['more items than the limit', 'Array.from({ length: 100000 }, (_, i) => "item " + i)'],
        ['a long text', '"x".repeat(1 << 24)'],
        ['wide characters beyond the limit', '"€".repeat(200000)'],
        ['many keys', 'Object.fromEntries(Array.from({ length: 100000 }, (_, i) => ["k" + i, i]))'],
        ['quotes that double when written', '"\\"".repeat(250000)'],
        ['one text many times', 'const s = "x".repeat(1 << 12); Array(1000).fill(s)'],
      ],
    ),
    ...all(
      ['SANDBOX_SCRIPT_ERROR'],
      [
        ['a long error', 'throw new Error("x".repeat(1 << 24))'],
        [
          'a long name of an error',
          'const e = new Error("x"); e.name = "y".repeat(1 << 24); throw e',
        ],
        [
          'a long stack',
          'const e = new Error("x"); e.stack = "script.js:1:1\\n".repeat(1 << 20); throw e',
        ],
        ['a long thrown text', 'throw "x".repeat(1 << 24)'],
      ],
    ),
    ...all(
      ['SANDBOX_TIMEOUT'],
      [['printing without end', 'for (;;) console.log("x".repeat(1000))']],
      { timeoutMs: 300 },
    ),
    ...all(
      ['SANDBOX_MEMORY', 'SANDBOX_RESULT_INVALID', 'SANDBOX_CRASHED'],
      [
        [
          'a result that unfolds',
          'let a = "x".repeat(1000); for (let i = 0; i < 24; i++) a = [a, a]; a',
        ],
        ['toJSON that grows', 'let s = "x"; ({ toJSON() { for (;;) s += s } })'],
      ],
      { memoryMb: 32, timeoutMs: 5_000 },
    ),
  ],
};
