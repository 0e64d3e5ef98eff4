/**
 * Whether the calls of a conversation go round: the same call, a cycle of calls,
 * the same call with the same result, or calls that keep failing. A reducer over
 * calls and results; what it keeps does not grow with the turns.
 *
 * Invariants
 *   T1. A call is looked at before it is made, so that the one that would close
 *       a loop is not made.
 *   T2. At most `callsKept` calls are kept, the latest.
 */
import { canonicalJson, sha256 } from '../../kernel/hash.ts';
import type { Json } from '../../kernel/json.ts';
import type { Finding } from './finding.ts';

/** Calls that a loop is looked for in. */
const callsKept = 64;
/** Calls of one cycle at most. */
const cycleMax = 8;
/** Characters of a digest that tells calls of one conversation apart. */
const digestCharacters = 16;

/** A call of a tool with its arguments, as the answer gave them. */
export interface Call {
  readonly tool: string;
  readonly args: Json;
}

interface PastCall {
  readonly call: string;
  readonly result: string;
}

/** What is kept of the calls of a conversation. */
export interface CallHistory {
  readonly past: readonly PastCall[];
  /** Calls that failed since the last one that did not. */
  readonly failures: number;
}

export const noCalls: CallHistory = { past: [], failures: 0 };

function digestOf(value: Json): string {
  return sha256(canonicalJson(value)).slice(0, digestCharacters);
}

function callDigest({ tool, args }: Call): string {
  return digestOf([tool, args]);
}

/** The history with a call that was made, or refused, and what the agent was told of it. */
export function afterCall(
  history: CallHistory,
  call: Call,
  told: { readonly content: Json; readonly failed: boolean },
): CallHistory {
  const made = { call: callDigest(call), result: digestOf(told.content) };
  return {
    past: [...history.past, made].slice(-callsKept), // (T2)
    failures: told.failed ? history.failures + 1 : 0,
  };
}

/** Calls of the shortest cycle that ends the list `times` times in a row, or null. */
function cycleOf(calls: readonly string[], times: number): number | null {
  for (let period = 1; period <= cycleMax && period * times <= calls.length; period += 1) {
    const tail = calls.slice(-period * times);
    if (tail.every((call, index) => call === tail[index % period])) return period;
  }
  return null;
}

/**
 * What is wrong with the next call, which is not made yet (T1).
 * @param times How often a call or cycle may be seen before it is a loop, at least 2.
 */
export function toolLoop(history: CallHistory, next: Call, times: number): Finding | null {
  const call = callDigest(next);
  const source = 'tool-loop';
  const period = cycleOf([...history.past.map((each) => each.call), call], times);
  if (period === 1) {
    const evidence = `The tool ${next.tool} is called with the same arguments ${times} times in a row.`;
    return { source, evidence };
  }
  if (period !== null) {
    const evidence = `The same ${period} calls are made ${times} times in a row, the last one of ${next.tool}.`;
    return { source, evidence };
  }
  const same = history.past.filter((each) => each.call === call);
  const isTold = same.length + 1 >= times && new Set(same.map((each) => each.result)).size === 1;
  if (!isTold) return null;
  const evidence = `The tool ${next.tool} is called with the same arguments for the ${times}. time, and told the same each time.`;
  return { source, evidence };
}

/** Calls that keep failing: seen at the next call, which is one more of the kind. */
export function failingCalls(history: CallHistory, next: Call, times: number): Finding | null {
  if (history.failures < times) return null;
  const evidence = `The last ${history.failures} calls failed, and ${next.tool} is called next.`;
  return { source: 'failing-calls', evidence };
}
