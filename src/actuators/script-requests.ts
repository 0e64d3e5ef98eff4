/**
 * The network as a tool of scripts: `tools.http.fetch({ url, method, headers })`.
 * What is granted is granted to the very script, by the hash of its source.
 *
 * Invariants
 *   R1. The script cannot say whose request it is: the subject is its own hash.
 *   R2. Each request of an execution has a key of its own, the same one when the
 *       execution is repeated, so that a use is charged once and two are two.
 */
import { z } from 'zod';
import { sha256 } from '../kernel/hash.ts';
import {
  type ActorSequence,
  type IntentionKey,
  intentionKey,
  parseIntentionKey,
} from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { type Actuator, type Operation, operation } from './actuator.ts';

/** Arguments of a call are those of `http.fetch` but for what the script may not say. */
const callSchema = z.record(z.string(), z.json());

/**
 * `http.fetch` for one execution of a script.
 * @param http as `httpActuator` makes it
 */
export function scriptFetch(http: Actuator, source: string): Operation {
  const fetch = http.operations.fetch;
  const subject = { script: sha256(source) }; // (R1)
  let requests = 0;
  return operation({
    effect: 'idempotent',
    outside: true,
    arguments: callSchema.transform((call, context) => {
      const { label: _label, ...given } = call;
      const parsed = fetch?.arguments.safeParse({ ...given, subject });
      if (parsed?.success === true) return parsed.data;
      for (const issue of parsed?.error.issues ?? []) {
        context.addIssue({ code: 'custom', message: issue.message, path: [...issue.path] });
      }
      return z.NEVER;
    }),
    result: fetch?.result ?? z.never(),
    async perform(args, context) {
      requests += 1;
      const key = requestKey(context.key, requests); // (R2)
      return fetch?.perform(args, { ...context, key });
    },
  }) as Operation;
}

/** Behind every index that a step's own intentions can have. */
function requestKey(key: IntentionKey, number: number): IntentionKey {
  const { run, actor, sequence, index } = parseIntentionKey(key);
  return intentionKey({
    run,
    actor,
    sequence: sequence as ActorSequence,
    index: index + number * limits.intentionsPerStepMax,
  });
}
