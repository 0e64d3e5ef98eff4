/**
 * Asks the policies about each intention. An intention of an actor that nobody knows is
 * denied, and so is what no policy permits.
 */
import { clearanceRank, type Levels, labelRank } from '../identity/clearance.ts';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import type { IntentionGuard } from './intention-guard.ts';
import type { CheckedRequest } from './intention-request.ts';
import {
  type PolicyContext,
  type PolicyDecision,
  type PolicyPort,
  type PolicyPrincipal,
  resourceOf,
} from './policy.ts';

/** What somebody trusted says of an actor. */
interface Attested {
  readonly kind: string;
  readonly name: string;
  readonly clearance: { readonly levels: Levels; readonly of: string } | null;
  readonly operations: readonly string[];
}

export interface PolicyGuardOptions {
  readonly policies: PolicyPort;
  readonly actors: {
    attested(run: RunId, actor: ActorId): Attested | null;
    pipelineOf(run: RunId): string | null;
  };
  /** Whether a grant covers a request to the outside, and which; without it the actuator asks. */
  readonly egressOf?: (request: CheckedRequest) => Pick<PolicyContext, 'egress' | 'grant'>;
}

function textOf(given: JsonObject, name: 'model' | 'privacy' | 'method'): object {
  const value = given[name];
  return typeof value === 'string' ? { [name]: value } : {};
}

function contextOf(
  request: CheckedRequest,
  given: JsonObject,
  { clearance }: Attested,
  egressOf: PolicyGuardOptions['egressOf'],
): PolicyContext {
  const { label = '' } = given;
  const labelled =
    clearance === null || typeof label !== 'string' || label === ''
      ? { label: 0, labelName: '' }
      : { label: labelRank(clearance.levels, label), labelName: label };
  const outside = request.actuator === 'http' ? (egressOf?.(request) ?? { egress: 'asked' }) : {};
  const named = {
    ...textOf(given, 'model'),
    ...textOf(given, 'privacy'),
    ...textOf(given, 'method'),
  };
  return { effect: request.effect, ...labelled, ...named, ...outside } as PolicyContext;
}

function sentence(name: string, { policies, errors }: PolicyDecision): string {
  if (errors.length > 0) {
    return `${name} is denied, because a policy cannot be evaluated: ${errors.join('; ')}.`;
  }
  if (policies.length === 0) return `No policy permits ${name}.`;
  const which = policies.length === 1 ? 'The policy' : 'The policies';
  const forbid = policies.length === 1 ? 'forbids' : 'forbid';
  return `${which} ${policies.join(', ')} ${forbid} ${name}.`;
}

export function policyGuard({ policies, actors, egressOf }: PolicyGuardOptions): IntentionGuard {
  return (request) => {
    const { run, actor, actuator, operation, arguments: args } = request;
    const name = `${actuator}.${operation}`;
    const attested = actors.attested(run, actor);
    const pipeline = actors.pipelineOf(run);
    if (attested === null || pipeline === null) {
      const message = `${name} is denied: nobody knows the actor ${actor}.`;
      return { code: 'POLICY_DENIED', message, retryable: true };
    }
    const given = isJsonObject(args) ? args : {};
    const { kind, name: agent, clearance, operations } = attested;
    const principal: PolicyPrincipal = {
      run,
      actor,
      kind,
      name: agent,
      pipeline,
      clearance: clearance === null ? 0 : clearanceRank(clearance.levels, clearance.of),
      level: clearance?.of ?? '',
      operations,
    };
    const decision = policies.decide({
      principal,
      action: name,
      resource: resourceOf(actuator, given),
      context: contextOf(request, given, attested, egressOf),
    });
    return decision.allow ? null : { code: 'POLICY_DENIED', message: sentence(name, decision) };
  };
}
