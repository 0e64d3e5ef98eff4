/**
 * The code that prepares an isolate before a script, as text, because it is
 * compiled inside the isolate. `fs` and `tools` are in `guest-calls.ts`, what
 * is taken away in `guest-removals.ts` and `guest-buffers.ts`.
 *
 * Invariants
 *   G1. Nothing of the host reaches a script: no reference, and no function
 *       but those made here. The one callback that leads out takes and gives
 *       texts and numbers, and only this code holds it. A script leaves one
 *       array of three strings and that is all.
 *   G2. What this code needs afterwards it captures first; a script that
 *       rewrites the built-ins changes only its own answer.
 *   G3. No source of time or chance is left: Math.random is seeded, now is
 *       fixed, and what observes threads or the garbage collector is gone.
 */
import { guestBuffersSource } from './guest-buffers.ts';
import { guestCalls } from './guest-calls.ts';
import { guestRemovals } from './guest-removals.ts';

const boot = String.raw`(function boot(seed, timeMs, inputText, resultMax, consoleMax, linesMax, callsMax, inFlightMax, messageMax, toolNames, send) {
  'use strict';
  const evaluate = eval;
  const { stringify, parse } = JSON;
  const { getPrototypeOf, defineProperty } = Object;
  const { apply, construct } = Reflect;
  const { isArray } = Array;
  const { isFinite } = Number;
  const { imul } = Math;
  const text = String;
  const objectPrototype = Object.prototype;
  const rangeErrorPrototype = RangeError.prototype;
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const slice = uncurry(String.prototype.slice);
  const exec = uncurry(RegExp.prototype.exec);

  const makeCalls = ${guestCalls};
  let state = seed >>> 0;
  const random32 = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  Math.random = function random() {
    return ((random32() >>> 5) * 67108864 + (random32() >>> 6)) / 9007199254740992;
  };

  const NativeDate = Date;
  const FixedDate = function Date(...parts) {
    if (new.target === undefined) return new NativeDate(timeMs).toString();
    return construct(NativeDate, parts.length === 0 ? [timeMs] : parts, new.target);
  };
  defineProperty(FixedDate, 'length', { value: 7 });
  defineProperty(FixedDate, 'prototype', { value: NativeDate.prototype, writable: false });
  for (const [name, value] of [['now', () => timeMs], ['parse', NativeDate.parse], ['UTC', NativeDate.UTC]]) {
    defineProperty(FixedDate, name, { value, writable: true, configurable: true });
  }
  defineProperty(NativeDate.prototype, 'constructor', { value: FixedDate, writable: true, configurable: true });
  defineProperty(globalThis, 'Date', { value: FixedDate, writable: true, configurable: true });
  const formats = Intl.DateTimeFormat.prototype;
  const formatOf = uncurry(Object.getOwnPropertyDescriptor(formats, 'format').get);
  const partsOf = uncurry(formats.formatToParts);
  defineProperty(formats, 'format', {
    configurable: true,
    get() {
      const format = formatOf(this);
      return (date) => format(date === undefined ? timeMs : date);
    },
  });
  defineProperty(formats, 'formatToParts', {
    configurable: true,
    writable: true,
    value: function formatToParts(date) {
      return partsOf(this, date === undefined ? timeMs : date);
    },
  });

  // One entry after the other: a letter for the level, the length of the text, a colon, the text.
  let log = '';
  let logged = 0;
  let lines = 0;
  const show = (value) => {
    if (typeof value !== 'object' || value === null) return text(value);
    try {
      return stringify(value) ?? text(value);
    } catch {
      return '[object]';
    }
  };
  const write = (level, values) => {
    if (logged >= consoleMax || lines >= linesMax) return;
    let line = '';
    // Each line counts with its end.
    const room = consoleMax - logged;
    for (let index = 0; index < values.length && line.length < room; index += 1) {
      line += (index === 0 ? '' : ' ') + slice(show(values[index]), 0, room);
    }
    if (line.length >= room) line = slice(line, 0, room);
    logged += line.length + 1;
    lines += 1;
    log += level + line.length + ':' + line;
  };
  const console = {
    log: (...values) => write('l', values),
    info: (...values) => write('i', values),
    warn: (...values) => write('w', values),
    error: (...values) => write('e', values),
    debug: (...values) => write('d', values),
    trace: (...values) => write('t', values),
  };
  defineProperty(globalThis, 'console', { value: console, writable: true, configurable: true });
  const given = inputText === null ? undefined : parse(inputText);
  if (inputText !== null) {
    defineProperty(globalThis, 'input', { value: given, writable: true, configurable: true });
  }
  const describe = (error) => {
    try {
      if (typeof error !== 'object' || error === null) return 'threw ' + slice(show(error), 0, 2000);
      const message = error.message === undefined ? show(error) : text(error.name) + ': ' + text(error.message);
      const place = exec(/script\.js:(\d+):(\d+)/, text(error.stack));
      const where = place === null ? '' : ' (line ' + place[1] + ', column ' + place[2] + ')';
      return slice(message, 0, 2000) + where;
    } catch {
      return 'threw a value that cannot be shown';
    }
  };
  // A string or buffer that no limit could hold is refused by the engine before it takes memory.
  const isMemory = (error) => {
    try {
      return (
        typeof error === 'object' &&
        error !== null &&
        getPrototypeOf(error) === rangeErrorPrototype &&
        exec(/^(Array buffer allocation failed|Invalid string length)$/, text(error.message)) !== null
      );
    } catch {
      return false;
    }
  };
  const named = (key) => (key === '' ? 'it' : '"' + key + '"');
  const plain = (key, value) => {
    switch (typeof value) {
      case 'number':
        if (!isFinite(value)) throw named(key) + ' is ' + value;
        return value;
      case 'function':
      case 'symbol':
      case 'bigint':
        throw named(key) + ' is a ' + typeof value;
      case 'object': {
        if (value === null || isArray(value)) return value;
        const prototype = getPrototypeOf(value);
        if (prototype !== objectPrototype && prototype !== null) throw named(key) + ' is not a plain object';
        return value;
      }
      default:
        return value;
    }
  };
  const calls = makeCalls(send, callsMax, inFlightMax, messageMax, toolNames, plain);
  defineProperty(globalThis, 'fs', { value: calls.fs, writable: true, configurable: true });
  defineProperty(globalThis, 'tools', { value: calls.tools, writable: true, configurable: true });

  const failure = (error) => {
    if (isMemory(error)) return 'memory';
    return calls.boundOf(error) ?? 'error';
  };
  const asResult = (value) => {
    let json;
    try {
      json = stringify(value === undefined ? null : value, plain);
    } catch (error) {
      if (isMemory(error)) return ['memory', describe(error), log];
      return ['invalid', typeof error === 'string' ? slice(error, 0, 200) : describe(error), log];
    }
    if (typeof json !== 'string') return ['invalid', 'the value has no JSON form', log];
    if (json.length > resultMax) return ['invalid', 'the value has ' + json.length + ' characters of JSON', log];
    return ['value', json, log];
  };
  /** The main function of the script, where it has one that it does not call itself. */
  const mainOf = () => {
    try {
      const main = evaluate('main');
      return typeof main === 'function' ? main : null;
    } catch {
      return null;
    }
  };
  // What main says: never, unless-value (it is asked where the script gives no value) or always.
  const run = async function run(source, asksMain) {
    let value;
    try {
      const completion = evaluate(source);
      value = await completion;
      if (asksMain === 'always' || (asksMain === 'unless-value' && completion === undefined)) {
        const main = mainOf();
        if (main !== null) value = await apply(main, undefined, [given]);
      }
    } catch (error) {
      return [failure(error), describe(error), log];
    }
    await calls.settled();
    return asResult(value);
  };
  return { run, answer: calls.answer };
})`;

/** A script whose value is `boot`, called once with the settings and the callback that leads out. */
export const guestSource = `${guestRemovals}\n${guestBuffersSource}\n${boot}`;
