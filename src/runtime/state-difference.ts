/**
 * What is known of two states that should be one. The journal has only the hash
 * of the state that it expects, so that state is searched for among those that
 * the actual one would be had the event left some of its changes undone. What
 * has the journaled hash is the journaled state; nothing else is claimed.
 */
import { type Actor, actorToJson } from '../actors/actor.ts';
import { actorHash, stateFromJson, type stateToJson } from '../actors/step.ts';
import { canonicalJson, type Sha256 } from '../kernel/hash.ts';
import type { Json, JsonObject } from '../kernel/json.ts';
import { diffJson, type JsonChange } from '../kernel/json-diff.ts';

export interface StateDifference {
  /** The journaled state; null where it could not be found. */
  readonly expected: JsonObject | null;
  readonly actual: JsonObject;
  /** From expected to actual; from the state before the event where expected is null. */
  readonly changes: readonly JsonChange[];
}

/** 2 to the power of this many states are looked at, at most. */
const undoneMax = 8;

/**
 * @param before The actor before the event, on which both agree.
 * @param hash Of the expected state.
 */
export function stateDifference(before: Actor, after: Actor, hash: Sha256): StateDifference {
  const earlier = jsonOf(before);
  const actual = jsonOf(after);
  const made = diffJson(earlier, actual);
  const expected = made.length > undoneMax ? null : found(after, actual, made, hash);
  return { expected, actual, changes: expected === null ? made : diffJson(expected, actual) };
}

function jsonOf(actor: Actor): JsonObject {
  return actorToJson(actor).state as unknown as JsonObject; // Plain JSON by law D1.
}

function found(
  after: Actor,
  actual: JsonObject,
  made: readonly JsonChange[],
  hash: Sha256,
): JsonObject | null {
  for (let undone = 1; undone < 1 << made.length; undone += 1) {
    const candidate = JSON.parse(canonicalJson(actual)) as JsonObject;
    made.forEach((change, index) => {
      if ((undone & (1 << index)) !== 0) undo(candidate, change);
    });
    if (hashOf(after, candidate) === hash) return candidate;
  }
  return null;
}

/** Null of what is no state of the machine. */
function hashOf({ state }: Actor, candidate: JsonObject): Sha256 | null {
  try {
    const json = candidate as unknown as ReturnType<typeof stateToJson>;
    return actorHash(stateFromJson(state.machine, json));
  } catch {
    return null;
  }
}

function undo(state: JsonObject, { path, before }: JsonChange): void {
  const keys = path.split('/').slice(1);
  const last = keys.pop();
  if (last === undefined) return;
  let place = state as Record<string, Json>;
  for (const key of keys) place = place[unescaped(key)] as Record<string, Json>;
  if (before === undefined) delete place[unescaped(last)];
  else place[unescaped(last)] = before;
}

function unescaped(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}
