/**
 * Whether two values of plain JSON are the same, without writing them down.
 * True means that their canonical texts are equal; false, that somebody has
 * to compare these: a member that is undefined, for instance, is not written.
 */
export function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object') return false;
  if (left === null || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && sameItems(left, right);
  return isPlain(left) && isPlain(right) && sameMembers(left, right);
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}

function sameItems(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    if (!sameJson(left[index], right[index])) return false;
  }
  return true;
}

function sameMembers(left: object, right: object): boolean {
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  for (const key of keys) {
    const inner = (left as Record<string, unknown>)[key];
    // An own member of one that the other inherits, such as `constructor`, is not the same.
    if (!Object.hasOwn(right, key)) return false;
    if (!sameJson(inner, (right as Record<string, unknown>)[key])) return false;
  }
  return true;
}
