/** Where two JSON values differ. */
import { isJsonObject, type Json } from './json.ts';

export interface JsonChange {
  /** JSON Pointer (RFC 6901); empty for the whole value. */
  readonly path: string;
  /** Undefined where there is nothing. */
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

/**
 * The smallest parts that differ, in the order of their keys. Lists are
 * compared place by place.
 */
export function diffJson(before: Json | undefined, after: Json | undefined): JsonChange[] {
  const changes: JsonChange[] = [];
  collect('', before, after, changes);
  return changes;
}

function collect(
  path: string,
  before: Json | undefined,
  after: Json | undefined,
  changes: JsonChange[],
): void {
  if (before === after) return;
  const keys = sharedKeys(before, after);
  if (keys === null) {
    changes.push({ path, before, after });
    return;
  }
  for (const key of keys) {
    collect(`${path}/${escaped(key)}`, memberOf(before, key), memberOf(after, key), changes);
  }
}

/** Keys of both, if both are objects or both are lists. */
function sharedKeys(before: Json | undefined, after: Json | undefined): Iterable<string> | null {
  const alike =
    (Array.isArray(before) && Array.isArray(after)) ||
    (isJsonObject(before) && isJsonObject(after));
  return alike ? new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]) : null;
}

function memberOf(value: Json | undefined, key: string): Json | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, Json>)[key];
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
