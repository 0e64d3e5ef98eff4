/**
 * Programmer errors stop the thread at once; they are never an outcome.
 */

/** Thrown for a broken invariant. Nobody catches it to go on. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** @throws AssertionError when `condition` is false. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks the branch that an exhaustive `switch` can never reach. */
export function assertNever(value: never, context: string): never {
  throw new AssertionError(`${context}: unexpected ${JSON.stringify(value)}`);
}
