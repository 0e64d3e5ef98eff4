/**
 * Source text, run inside an isolate before a script: buffers whose length is
 * fixed. Resizable and transferred ones have been the way into engines more
 * often than any other part of the language, and honest scripts do without.
 *
 * Invariants
 *   B1. The engine's own constructor is reachable neither through a prototype
 *       nor through a species: only its stand-in, which takes a length alone.
 */
export const guestBuffersSource = `(() => {
  'use strict';
  const Native = ArrayBuffer;
  const { construct } = Reflect;
  const { defineProperty } = Object;
  for (const name of ['resize', 'resizable', 'maxByteLength', 'transfer', 'transferToFixedLength', 'detached']) {
    delete Native.prototype[name];
  }
  const Fixed = function ArrayBuffer(length, options) {
    if (new.target === undefined) throw new TypeError("Constructor ArrayBuffer requires 'new'");
    if (options !== undefined) throw new RangeError('Buffers cannot be resized here');
    return construct(Native, [length], new.target);
  };
  const hidden = { writable: true, enumerable: false, configurable: true };
  defineProperty(Fixed, 'length', { value: 1, configurable: true });
  defineProperty(Fixed, 'prototype', { value: Native.prototype, writable: false });
  defineProperty(Fixed, 'isView', { ...hidden, value: Native.isView });
  defineProperty(Fixed, Symbol.species, {
    configurable: true,
    get() {
      return this;
    },
  });
  defineProperty(Native.prototype, 'constructor', { ...hidden, value: Fixed }); // (B1)
  defineProperty(globalThis, 'ArrayBuffer', { ...hidden, value: Fixed });
})();`;
