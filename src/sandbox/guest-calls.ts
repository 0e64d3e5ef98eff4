/**
 * How a script calls out of its isolate: `fs` and `tools`. Text, because it is
 * compiled inside the isolate.
 *
 * Invariants
 *   K1. What crosses is a number and texts, both ways. `send` is called by
 *       this code alone, with texts that it made itself.
 *   K2. Answers come one by one, in the order of the calls, each as a task of
 *       its own. So how promises interleave depends on the script alone.
 *   K3. Calls are counted here, where their order is certain; the runtime
 *       counts again and ends whoever goes on.
 *   K4. A script has ended once all its calls are answered, also those that it did
 *       not wait for: what it leaves does not depend on how fast anything was.
 */
export const guestCalls = String.raw`function makeCalls(send, callsMax, inFlightMax, messageMax, toolNames, plain) {
  'use strict';
  const { parse, stringify } = JSON;
  const { create, defineProperty, freeze } = Object;
  const { apply } = Reflect;
  const { fromCharCode } = String;
  const { isView } = ArrayBuffer;
  const NativeError = Error;
  const NativePromise = Promise;
  const NativeTypeError = TypeError;
  const Bytes = Uint8Array;
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const charCodeAt = uncurry(String.prototype.charCodeAt);
  const slice = uncurry(String.prototype.slice);
  const split = uncurry(String.prototype.split);
  const isWellFormed = uncurry(String.prototype.isWellFormed);
  const toWellFormed = uncurry(String.prototype.toWellFormed);
  const mapGet = uncurry(WeakMap.prototype.get);
  const mapSet = uncurry(WeakMap.prototype.set);
  const views = Object.getPrototypeOf(Bytes.prototype);
  const getter = (prototype, name) => uncurry(Object.getOwnPropertyDescriptor(prototype, name).get);
  const bufferOf = getter(views, 'buffer');
  const lengthOf = getter(views, 'byteLength');
  const offsetOf = getter(views, 'byteOffset');
  const dataBufferOf = getter(DataView.prototype, 'buffer');
  const dataLengthOf = getter(DataView.prototype, 'byteLength');
  const dataOffsetOf = getter(DataView.prototype, 'byteOffset');
  const bufferLengthOf = getter(ArrayBuffer.prototype, 'byteLength');

  const bounds = new WeakMap();
  const refusal = (code, message, bound) => {
    const error = new NativeError(message);
    defineProperty(error, 'code', { value: code, writable: true, configurable: true, enumerable: true });
    if (bound !== null) mapSet(bounds, error, bound);
    return error;
  };
  const tooLarge = () => refusal('EMSGSIZE', 'EMSGSIZE: one call carries at most ' + messageMax + ' bytes', 'message');

  // A text in UTF-8, counted only as far as it matters.
  const isTooLarge = (value) => {
    if (value.length > messageMax) return true;
    if (value.length * 3 <= messageMax) return false;
    let bytes = 0;
    for (let index = 0; index < value.length; index += 1) {
      const unit = charCodeAt(value, index);
      // Half of a pair counts two; the pair is four.
      bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
    }
    return bytes > messageMax;
  };

  const pending = create(null);
  const waiting = create(null);
  let called = 0;
  let begun = 0;
  let answered = 0;
  // (K2): the first of those that wait goes once an answer has come.
  const advance = () => {
    while (begun < called && begun - answered < inFlightMax) {
      begun += 1;
      const { name, args, kind, data } = waiting[begun];
      delete waiting[begun];
      send(begun, name, args, kind, data);
    }
  };
  const call = (name, args, kind, data) => new NativePromise((resolve, reject) => {
    if (called >= callsMax) throw refusal('SANDBOX_CALLS', 'SANDBOX_CALLS: a script makes at most ' + callsMax + ' calls', 'calls'); // (K3)
    if (isTooLarge(args) || (kind === 'text' && isTooLarge(data))) throw tooLarge();
    called += 1;
    pending[called] = { resolve, reject };
    waiting[called] = { name, args, kind, data };
    advance();
  });
  const answer = (id, outcome, json, kind, data) => {
    const { resolve, reject } = pending[id];
    delete pending[id];
    answered += 1;
    if (outcome === 'ok') resolve(kind === 'none' ? parse(json) : kind === 'text' ? data : toBytes(data));
    else {
      const { code, message, bound } = parse(json);
      reject(refusal(code, message, bound));
    }
    advance();
    if (answered === called && whenIdle !== null) {
      const resolveIdle = whenIdle;
      whenIdle = null;
      resolveIdle();
    }
  };
  // (K4): what a script did not wait for is over before it ends, so that it is the same each time.
  let whenIdle = null;
  const idle = () => new NativePromise((resolve) => {
    if (answered === called) resolve();
    else whenIdle = resolve;
  });
  const settled = async () => {
    do {
      await idle();
      // What went on with an answer may call again a few turns later.
      for (let turn = 0; turn < 64; turn += 1) await undefined;
    } while (answered !== called);
  };

  // Of a fixed length from the start: a place that is there is set without asking a prototype.
  const units = [];
  for (let index = 0; index < 4096; index += 1) units[index] = 0;
  // Bytes cross as a text with one character for each.
  const toBytes = (data) => {
    const bytes = new Bytes(data.length);
    for (let index = 0; index < data.length; index += 1) bytes[index] = charCodeAt(data, index);
    return bytes;
  };
  const fromBytes = (value) => {
    let bytes;
    if (!isView(value)) bytes = new Bytes(value, 0, bufferLengthOf(value));
    else {
      let parts;
      try {
        parts = [bufferOf(value), offsetOf(value), lengthOf(value)];
      } catch {
        parts = [dataBufferOf(value), dataOffsetOf(value), dataLengthOf(value)];
      }
      bytes = new Bytes(parts[0], parts[1], parts[2]);
    }
    const length = lengthOf(bytes);
    if (length > messageMax) throw tooLarge();
    let data = '';
    let at = 0;
    for (; at + units.length <= length; at += units.length) {
      for (let index = 0; index < units.length; index += 1) units[index] = bytes[at + index];
      data += apply(fromCharCode, undefined, units);
    }
    for (; at < length; at += 1) data += fromCharCode(bytes[at]);
    return data;
  };
  const isBuffer = (value) => {
    try {
      bufferLengthOf(value);
      return true;
    } catch {
      return false;
    }
  };

  const argument = (value, what) => {
    if (typeof value !== 'string') throw new NativeTypeError('the ' + what + ' is a text');
    return value;
  };
  const flag = (options, name) => options !== null && typeof options === 'object' && options[name] === true;
  const count = (options, name) => {
    const value = options !== null && typeof options === 'object' ? options[name] : undefined;
    return typeof value === 'number' ? value : undefined;
  };
  const change = (name, path, data) => {
    const args = stringify({ __proto__: null, path: argument(path, 'path') });
    if (typeof data === 'string') return call(name, args, 'text', isWellFormed(data) ? data : toWellFormed(data));
    if (!isView(data) && !isBuffer(data)) throw new NativeTypeError('the content is a text or bytes');
    return call(name, args, 'bytes', fromBytes(data));
  };
  const fs = {
    async readFile(path, options) {
      const encoding = typeof options === 'string' ? options : options !== null && typeof options === 'object' ? options.encoding : undefined;
      const isText = encoding === 'utf8' || encoding === 'utf-8';
      if (encoding !== undefined && encoding !== null && !isText) throw new NativeTypeError('the encoding is utf8, or absent for bytes');
      const offset = count(options, 'offset');
      const length = count(options, 'length');
      const args = { __proto__: null, path: argument(path, 'path'), text: isText, offset, length };
      return await call('fs.readFile', stringify(args), 'none', '');
    },
    async writeFile(path, data) {
      await change('fs.writeFile', path, data);
    },
    async appendFile(path, data) {
      await change('fs.appendFile', path, data);
    },
    async readdir(path, options) {
      const found = await call('fs.readdir', stringify({ __proto__: null, path: argument(path, 'path') }), 'none', '');
      const withTypes = flag(options, 'withFileTypes');
      for (let index = 0; index < found.length; index += 1) {
        const { name, type } = found[index];
        found[index] = withTypes ? freeze({ name, ...kindOf(type) }) : name;
      }
      return found;
    },
    async stat(path) {
      const { type, size } = await call('fs.stat', stringify({ __proto__: null, path: argument(path, 'path') }), 'none', '');
      return freeze({ size, ...kindOf(type) });
    },
    async mkdir(path, options) {
      const args = { __proto__: null, path: argument(path, 'path'), recursive: flag(options, 'recursive') };
      await call('fs.mkdir', stringify(args), 'none', '');
    },
    async rm(path, options) {
      const args = { __proto__: null, path: argument(path, 'path'), recursive: flag(options, 'recursive'), force: flag(options, 'force') };
      await call('fs.rm', stringify(args), 'none', '');
    },
    async rename(from, to) {
      await call('fs.rename', stringify({ __proto__: null, path: argument(from, 'path'), to: argument(to, 'new path') }), 'none', '');
    },
  };
  const kindOf = (type) => ({
    type,
    isFile: () => type === 'file',
    isDirectory: () => type === 'folder',
    isSymbolicLink: () => false,
  });
  fs.promises = fs;

  const tools = {};
  for (const name of toolNames === '' ? [] : split(toolNames, '\n')) {
    const words = split(name, '.');
    let place = tools;
    for (let index = 0; index < words.length - 1; index += 1) place = place[words[index]] ??= {};
    place[words[words.length - 1]] = async (args) => {
      let json;
      try {
        json = stringify(args === undefined ? {} : args, plain);
      } catch (error) {
        throw new NativeTypeError(typeof error === 'string' ? 'the arguments are not plain JSON: ' + slice(error, 0, 200) : 'the arguments are not plain JSON');
      }
      if (json === undefined) throw new NativeTypeError('the arguments are not plain JSON');
      return await call('tools.' + name, json, 'none', '');
    };
  }
  const freezeAll = (place) => {
    for (const name in place) if (typeof place[name] === 'object') freezeAll(place[name]);
    freeze(place);
  };
  freezeAll(tools);

  return {
    fs: freeze(fs),
    tools,
    answer,
    settled,
    boundOf: (error) => (typeof error === 'object' && error !== null ? (mapGet(bounds, error) ?? null) : null),
  };
}`;
