import { assert } from '../kernel/assert.ts';
import type { EffectClass } from './intention.ts';

/** Effect class of each operation that machines use; the gateway refuses an intention that claims another. */
const effectClasses: Readonly<Record<string, EffectClass>> = {
  'inference.generate': 'pure',
  'blobs.read': 'pure',
  'clock.wake': 'pure',
  'sandbox.run': 'pure',
  'sandbox.script': 'pure',
  'sandbox.fetch': 'idempotent',
  'file.read': 'pure',
  'file.list': 'pure',
  'file.write': 'idempotent',
  'file.append': 'once',
  'human.decide': 'once',
  'http.fetch': 'idempotent',
  'http.send': 'once',
};

export function effectOf(actuator: string, operation: string): EffectClass {
  const found = effectClasses[`${actuator}.${operation}`];
  assert(found !== undefined, `no effect class for ${actuator}.${operation}`);
  return found;
}

export function isKnownOperation(actuator: string, operation: string): boolean {
  return Object.hasOwn(effectClasses, `${actuator}.${operation}`);
}
