/**
 * The http actuator as one function, for what runs code that is no actor: the
 * subject is whoever's code it is, and the code cannot choose another.
 */
import type { EgressSubject } from '../identity/egress-grant.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { isJsonObject, type Json } from '../kernel/json.ts';
import type { Actuator, ActuatorContext } from './actuator.ts';
import { firstProblem } from './intention-request.ts';

/**
 * @param http As `httpActuator` makes it.
 * @returns What `tools.http({ url, method, headers, body })` calls: one request, by its method a
 *   reading or a sending.
 * @throws RuntimeError INTENTION_INVALID, and as the operations do
 */
export function httpTool(http: Actuator, subject: EgressSubject) {
  return async (call: Json, context: ActuatorContext): Promise<Json> => {
    const given = isJsonObject(call) ? call : {};
    const reads = given.method === undefined || given.method === 'GET' || given.method === 'HEAD';
    const operation = http.operations[reads ? 'fetch' : 'send'];
    const args = operation?.arguments.safeParse({ ...given, subject });
    if (operation === undefined || args === undefined || !args.success) {
      const why = args?.error === undefined ? 'there is none' : firstProblem(args.error);
      throw new RuntimeError('INTENTION_INVALID', `The call of http is not valid (${why}).`);
    }
    return (await operation.perform(args.data, context)) as Json;
  };
}
