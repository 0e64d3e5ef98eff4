import { all, type Family } from './payload.ts';

export const pollution: Family = {
  title: 'prototype pollution',
  payloads: [
    ...all({ value: 1 }, [
      ['JSON', 'JSON.stringify = () => "\\"forged\\""; JSON.parse = null; 1'],
      [
        'toJSON that is gone again',
        'Object.prototype.toJSON = () => { throw 1 }; delete Object.prototype.toJSON; 1',
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
      ['numbers', 'Number.isFinite = () => false; Math.imul = null; 1'],
      [
        'everything inherits a value',
        'Object.prototype.polluted = 1; Object.prototype.kind = "memory"; Object.prototype.type = "done"; 1',
      ],
      ['__proto__ of an object', '({}).__proto__.isAdmin = true; 1'],
      ['constructor.prototype', '({}).constructor.prototype.shell = "sh"; 1'],
      [
        'a merge of parsed JSON',
        'const m = (t, s) => { for (const k of Object.keys(s)) { if (typeof s[k] === "object") m(t[k] ??= {}, s[k]); else t[k] = s[k] } }; m({}, JSON.parse(`{"__proto__":{"env":{"NODE_OPTIONS":"--x"}}}`)); 1',
      ],
      [
        'a frozen world',
        'for (const k of Object.getOwnPropertyNames(globalThis)) try { Object.freeze(globalThis[k]); Object.freeze(globalThis[k].prototype) } catch {}; 1',
      ],
      [
        'a world without globals',
        'for (const k of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[k] } catch {}; 1',
      ],
      ['another prototype of the world', 'Object.setPrototypeOf(globalThis, null); 1'],
    ]),
    {
      name: '__proto__ as data of the result',
      source: 'JSON.parse(`{"__proto__": {"polluted": 1}}`)',
      contained: { value: JSON.parse('{"__proto__": {"polluted": 1}}') },
    },
    {
      name: '__proto__ as data of the input',
      source: 'input; ({}).polluted === undefined',
      input: JSON.parse('{"__proto__": {"polluted": 1}}'),
      contained: { value: true },
    },
  ],
};
