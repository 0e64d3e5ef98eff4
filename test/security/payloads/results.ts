import { all, type Family } from './payload.ts';

const short = { timeoutMs: 300 };

export const results: Family = {
  title: 'proxies and getters on results',
  payloads: [
    ...all(
      ['SANDBOX_TIMEOUT'],
      [
        ['a getter that never ends', '({ get a() { for (;;); } })'],
        ['toJSON that never ends', '({ toJSON() { for (;;); } })'],
        ['a proxy whose keys never end', 'new Proxy({}, { ownKeys() { for (;;); } })'],
        [
          'a proxy whose prototype never comes',
          'new Proxy({}, { getPrototypeOf() { for (;;); } })',
        ],
        ['a thrown value whose message never ends', 'throw { get message() { for (;;); } }'],
        [
          'a thrown value whose name never ends',
          'throw { message: "x", get name() { for (;;); } }',
        ],
        [
          'a stack that never ends',
          'Error.prepareStackTrace = () => { for (;;); }; throw new Error("x")',
        ],
        ['a console argument that never ends', 'console.log({ toJSON() { for (;;); } })'],
        [
          'text of a thrown value that never ends',
          'throw { toString() { for (;;); }, toJSON() { for (;;); } }',
        ],
      ],
      short,
    ),
    ...all(
      ['SANDBOX_RESULT_INVALID'],
      [
        [
          'a proxy without prototype',
          'new Proxy({}, { getPrototypeOf() { throw new Error("trap") } })',
        ],
        ['a getter that throws', '({ get a() { throw new Error("g") } })'],
        ['a circle', 'const a = []; a.push(a); a'],
        ['a revoked proxy', 'const { proxy, revoke } = Proxy.revocable([], {}); revoke(); [proxy]'],
        ['a function in disguise', '[Object.assign(() => 1, { toJSON: undefined })]'],
        ['a proxy of a function', 'new Proxy(() => 1, {})'],
        ['a map', 'new Map([[1, 2]])'],
        ['a symbol', 'Symbol.iterator'],
        ['a buffer', 'new Uint8Array(8)'],
        ['a number that is none', '[NaN]'],
        ['a BigInt', '[1n]'],
        ['a class instance', 'new (class A { constructor() { this.x = 1 } })()'],
        ['a nest beyond the limit', 'let a = []; for (let i = 0; i < 5000; i++) a = [a]; a'],
      ],
    ),
    ...all(
      ['SANDBOX_SCRIPT_ERROR', 'SANDBOX_RESULT_INVALID', 'SANDBOX_TIMEOUT'],
      [
        [
          'then as a getter that throws',
          'Object.defineProperty(Object.prototype, "then", { get() { throw new Error("then") } }); 1',
        ],
        [
          'a forged answer that is no JSON',
          'Object.prototype.then = function (resolve) { delete Object.prototype.then; resolve(["value", "{", 5]) }; 1',
        ],
        [
          'a forged answer that is deep',
          'Object.prototype.then = function (resolve) { delete Object.prototype.then; resolve(["value", "[[[[", ""]) }; 1',
        ],
        [
          'a forged answer that is a proxy',
          'Object.prototype.then = function (resolve) { delete Object.prototype.then; resolve(new Proxy([], {})) }; 1',
        ],
        [
          'a forged answer of another kind',
          'Object.prototype.then = function (resolve) { delete Object.prototype.then; resolve(["done", "1", ""]) }; 1',
        ],
        [
          'species of the result',
          'class A extends Array { static get [Symbol.species]() { return Object } }; A.prototype.map = null; A.from([1n])',
        ],
      ],
      { timeoutMs: 1_000 },
    ),
    ...all({ value: [1, 2] }, [
      ['a proxy of a plain array', 'new Proxy([1, 2], {})'],
      ['an array with more on it', 'Object.assign([1, 2], { x: 3 })'],
      [
        'a getter that is honest',
        'const a = [1]; Object.defineProperty(a, 1, { enumerable: true, get: () => 2 }); a',
      ],
    ]),
  ],
};
