import { all, type Family } from './payload.ts';

export const symbols: Family = {
  title: 'symbol tricks',
  payloads: [
    ...all({ value: 'safe' }, [
      [
        'toPrimitive of everything',
        'Object.prototype[Symbol.toPrimitive] = () => { throw 1 }; "safe"',
      ],
      ['toStringTag of everything', 'Object.prototype[Symbol.toStringTag] = "Error"; "safe"'],
      [
        'iterator of everything',
        'Array.prototype[Symbol.iterator] = String.prototype[Symbol.iterator] = function* () { throw 1 }; "safe"',
      ],
      [
        'hasInstance',
        'Object.defineProperty(Array, Symbol.hasInstance, { value: () => true }); "safe"',
      ],
      [
        'species of promises',
        'Object.defineProperty(Promise, Symbol.species, { get() { throw 1 } }); "safe"',
      ],
      [
        'species of arrays',
        'Object.defineProperty(Array, Symbol.species, { get() { throw 1 } }); "safe"',
      ],
      [
        'exec and replace',
        'RegExp.prototype[Symbol.replace] = RegExp.prototype[Symbol.match] = () => { throw 1 }; "safe"',
      ],
      [
        'unscopables',
        'Array.prototype[Symbol.unscopables] = new Proxy({}, { get() { throw 1 } }); "safe"',
      ],
      ['isConcatSpreadable', 'Object.prototype[Symbol.isConcatSpreadable] = true; "safe"'],
      [
        'registered names of Node.js',
        'const s = Symbol.for("nodejs.util.inspect.custom"); Object.prototype[s] = () => { throw 1 }; "safe"',
      ],
      ['disposal', 'Object.prototype[Symbol.dispose ?? "x"] = () => { throw 1 }; "safe"'],
      [
        'a well-known symbol as a key of the result',
        '({ [Symbol.toPrimitive]: 1, toJSON: () => "safe" })',
      ],
    ]),
    ...all({ value: [] }, [
      [
        'keys of the world by symbol',
        'Object.getOwnPropertySymbols(globalThis).map(String).filter((name) => !name.startsWith("Symbol(Symbol."))',
      ],
    ]),
    ...all(
      ['SANDBOX_SCRIPT_ERROR'],
      [
        ['a thrown symbol', 'throw Symbol("x")'],
        ['a symbol as text', '"" + Symbol("x")'],
        [
          'a thrown object whose toPrimitive throws',
          'throw { [Symbol.toPrimitive]() { throw 1 } }',
        ],
      ],
    ),
    ...all(
      ['SANDBOX_TIMEOUT'],
      [
        [
          'an iterator that never ends',
          '[...{ [Symbol.iterator]: () => ({ next: () => ({ done: false, get value() { for (;;); } }) }) }]',
        ],
        [
          'an async iterator that never ends',
          'for await (const x of { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) });',
        ],
        ['toPrimitive that never ends', '+{ [Symbol.toPrimitive]() { for (;;); } }'],
      ],
      { timeoutMs: 250 },
    ),
  ],
};
