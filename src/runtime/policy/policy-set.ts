/**
 * Policies made ready: each file checked against the schema, each policy with its id,
 * all of them parsed once.
 *
 * Invariants
 *   S1. A set with any fault is refused whole; nothing is decided by half of it.
 *   S2. A policy that cannot be evaluated denies: a forbid among them would have to.
 *   S3. A decision depends on the set and the question alone, and neither changes: an
 *       agent that asks the same again is answered from memory.
 */
import type {
  AuthorizationAnswer,
  DetailedError,
  EntityJson,
  SourceLocation,
} from '@cedar-policy/cedar-wasm/nodejs';
import type { PolicyDecision, PolicyPort, PolicyRequest } from '../../actuators/policy.ts';
import { RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { type Cedar, loadCedar } from './cedar.ts';
import { type PolicyFile, policySchema, policySetHash } from './policy-files.ts';

export interface PolicyProblem {
  readonly file: string;
  /** Both from 1; 0 where the place is not known. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface Policy {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly file: string;
  readonly text: string;
}

/** Line and column of a place that is given in bytes of UTF-8. */
function placeOf(
  text: string,
  location: SourceLocation | undefined,
): { line: number; column: number } {
  if (location === undefined) return { line: 0, column: 0 };
  const lines = Buffer.from(text).subarray(0, location.start).toString('utf8').split('\n');
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

function problemOf({ file, text }: PolicyFile, error: DetailedError): PolicyProblem {
  const [where] = error.sourceLocations ?? [];
  const help = error.help === null || error.help === undefined ? '' : `; ${error.help}`;
  return { file, ...placeOf(text, where), message: `${error.message}${help}` };
}

/** Faults of one file, of its text and against the schema. */
function problemsOf(cedar: Cedar, schema: string, source: PolicyFile): PolicyProblem[] {
  const answer = cedar.validate({ schema, policies: { staticPolicies: source.text } });
  if (answer.type === 'failure') return answer.errors.map((error) => problemOf(source, error));
  // A policy that can never hold is a slip, and in a forbid a dangerous one.
  return [...answer.validationErrors, ...answer.validationWarnings].map(({ error }) =>
    problemOf(source, error),
  );
}

function policiesOf(cedar: Cedar, { file, text }: PolicyFile): Policy[] {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === 'failure') return []; // Told by `problemsOf`.
  return parts.policies
    .toSorted((one, other) => text.indexOf(one) - text.indexOf(other))
    .map((policy, index) => {
      const parsed = cedar.policyToJson(policy);
      const json = parsed.type === 'success' ? parsed.json : null;
      const id = json?.annotations?.id ?? `${file}#${index + 1}`;
      return { id, effect: json?.effect ?? 'forbid', file, text: policy };
    });
}

function setProblems(files: readonly PolicyFile[], policies: readonly Policy[]): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  const at = (file: string, message: string): void => {
    problems.push({ file, line: 0, column: 0, message });
  };
  const seen = new Map<string, string>();
  for (const { id, file } of policies) {
    const other = seen.get(id);
    if (other !== undefined) at(file, `the id "${id}" is that of a policy of ${other} as well`);
    seen.set(id, file);
  }
  const [first] = files;
  if (policies.length > limits.policiesMax && first !== undefined) {
    at(first.file, `there are ${policies.length} policies, more than ${limits.policiesMax}`);
  }
  return problems;
}

/** Everything that is wrong with the files, in their order; none means that they can be in force. */
export async function policyProblems(files: readonly PolicyFile[]): Promise<PolicyProblem[]> {
  const cedar = await loadCedar();
  return allProblems(cedar, files, files);
}

/** @param unchecked Of the files those that are compared with the schema, which takes a while. */
function allProblems(
  cedar: Cedar,
  files: readonly PolicyFile[],
  unchecked: readonly PolicyFile[],
): PolicyProblem[] {
  const schema = policySchema();
  const own = unchecked.flatMap((file) => problemsOf(cedar, schema, file));
  const policies = files.flatMap((file) => policiesOf(cedar, file));
  return [...own, ...setProblems(files, policies)];
}

/** `FILE:LINE:COLUMN: message`. */
export function problemText({ file, line, column, message }: PolicyProblem): string {
  return `${file}${line === 0 ? '' : `:${line}:${column}`}: ${message}`;
}

/**
 * @throws RuntimeError POLICY_INVALID (S1), NATIVE_PACKAGE_MISSING
 */
export async function openPolicySet(files: readonly PolicyFile[]): Promise<PolicySet> {
  const cedar = await loadCedar();
  const unchecked = files.filter(({ shipped }) => shipped !== true);
  const problems = allProblems(cedar, files, unchecked);
  const [first] = problems;
  if (first !== undefined) {
    const others = problems.length - 1;
    const more = others === 0 ? '' : ` (and ${others} more problem${others === 1 ? '' : 's'})`;
    throw new RuntimeError('POLICY_INVALID', `${problemText(first)}${more}.`, {
      details: { problems: problems.map(problemText) },
    });
  }
  const policies = files.flatMap((file) => policiesOf(cedar, file));
  return new PolicySet(cedar, policies, policySetHash(files));
}

export class PolicySet implements PolicyPort {
  readonly policies: readonly Policy[];
  readonly hash: string;
  readonly #cedar: Cedar;
  readonly #decided = new Map<string, PolicyDecision>();

  constructor(cedar: Cedar, policies: readonly Policy[], hash: string) {
    this.#cedar = cedar;
    this.policies = policies;
    this.hash = hash;
    const texts = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
    const parsed = cedar.preparsePolicySet(hash, { staticPolicies: texts });
    if (parsed.type === 'success') return;
    const [error] = parsed.errors;
    throw new RuntimeError('POLICY_INVALID', `The policies do not parse: ${error?.message}.`);
  }

  /** The same question has the same answer (S3). */
  decide(request: PolicyRequest): PolicyDecision {
    const question = JSON.stringify(request);
    const known = this.#decided.get(question);
    if (known !== undefined) return known;
    const decision = this.#decide(request);
    if (this.#decided.size >= limits.policyDecisionsMax) this.#decided.clear();
    this.#decided.set(question, decision);
    return decision;
  }

  #decide(request: PolicyRequest): PolicyDecision {
    try {
      return decisionOf(this.#cedar.statefulIsAuthorized(callOf(request, this.hash)));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { allow: false, policies: [], errors: [why] };
    }
  }
}

function decisionOf(answer: AuthorizationAnswer): PolicyDecision {
  if (answer.type === 'failure') {
    return { allow: false, policies: [], errors: answer.errors.map(({ message }) => message) };
  }
  const { decision, diagnostics } = answer.response;
  const errors = diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`);
  const allow = decision === 'allow' && errors.length === 0; // (S2)
  return { allow, policies: diagnostics.reason.toSorted(), errors };
}

function resourceEntity(resource: PolicyRequest['resource']): EntityJson {
  const { type } = resource;
  switch (type) {
    case 'Actuator':
      return { uid: { type, id: resource.id }, attrs: {}, parents: [] };
    case 'Document':
      return { uid: { type, id: resource.id }, attrs: {}, parents: parentOf('blobs') };
    case 'File': {
      const { path } = resource;
      return { uid: { type, id: path }, attrs: { path }, parents: parentOf('file') };
    }
    case 'Host': {
      const { host, port, scheme, path } = resource;
      const attrs = { host, port, scheme, path };
      return { uid: { type, id: `${host}:${port}` }, attrs, parents: parentOf('http') };
    }
  }
}

function parentOf(actuator: string) {
  return [{ type: 'Actuator', id: actuator }];
}

function callOf({ principal, action, resource, context }: PolicyRequest, set: string) {
  const { run, actor, operations, kind, name, pipeline, clearance, level } = principal;
  const uid = { type: 'Agent', id: `${run}/${actor}` };
  const attrs = { kind, name, pipeline, clearance, level, operations: [...operations] };
  const onto = resourceEntity(resource);
  const { grant, ...rest } = context;
  return {
    principal: uid,
    action: { type: 'Action', id: action },
    resource: onto.uid,
    context: {
      operation: action,
      ...rest,
      ...(grant === undefined ? {} : { grant: { __entity: { type: 'Grant', id: grant } } }),
    },
    preparsedPolicySetId: set,
    entities: [{ uid, attrs, parents: [{ type: 'Run', id: run }] }, onto],
  };
}
