/** Plain JSON: the only shape that state, events and outcomes may have. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Names the first place where a value is not plain JSON (undefined, NaN,
 * infinity, negative zero, Date, Map, function, class instance, half of a
 * surrogate pair), or null.
 * Such a value would not survive the journal unchanged.
 */
export function findNonJson(value: unknown, path = '$'): string | null {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? null : path;
    case 'boolean':
      return null;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? null : path;
    case 'object':
      return value === null ? null : findNonJsonInside(value, path);
    default:
      return path;
  }
}

function findNonJsonInside(value: object, path: string): string | null {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const found = findNonJson(value[index], `${path}[${index}]`);
      if (found !== null) return found;
    }
    return null;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return path;
  for (const [key, inner] of Object.entries(value)) {
    if (!key.isWellFormed()) return path;
    const found = findNonJson(inner, `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}
