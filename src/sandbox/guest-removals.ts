/**
 * Takes away from an isolate what a script does not need and an attacker
 * likes: shared memory, code of another kind, waiting, realms, and what
 * observes time or the garbage collector. Text, because it is compiled inside
 * the isolate; runs first.
 */
export const guestRemovals = `(() => {
  'use strict';
  for (const name of ['SharedArrayBuffer', 'Atomics', 'WebAssembly', 'WeakRef', 'FinalizationRegistry', 'ShadowRealm']) {
    delete globalThis[name];
  }
  if (typeof Temporal === 'object') delete Temporal.Now;
})();`;
