/**
 * Which models may answer a question, in which order, and why: a pure function
 * of the question, the models as they are now, and a policy.
 *
 * Invariants
 *   R1. A model that may not answer is never ranked: privacy, policy and budget exclude.
 *   R2. A model that would answer badly or late is ranked last, not excluded: context,
 *       speed and load are estimates.
 *   R3. Every place and every exclusion has its reasons.
 */
import type { Privacy, RoutingPolicy, TaskClass } from '../actors/routing-policy.ts';
import type { ModelStatus, ModelTier } from './model-status.ts';

export interface RouteQuestion {
  readonly taskClass: TaskClass;
  readonly privacy: Privacy;
  /** Estimate. */
  readonly promptTokens: number;
  /** At most. */
  readonly answerTokens: number;
  readonly timeoutMs: number;
}

export interface RankedModel {
  readonly model: string;
  readonly tier: ModelTier;
  /** Estimate of tokens times parameters; null where the parameters are not known. */
  readonly cost: number | null;
  readonly reasons: readonly string[];
}

export interface RouteDecision {
  /** Best first. */
  readonly ranked: readonly RankedModel[];
  readonly excluded: readonly { readonly model: string; readonly reason: string }[];
}

type Candidate = Pick<
  ModelStatus,
  | 'name'
  | 'tier'
  | 'state'
  | 'contextTokens'
  | 'device'
  | 'parameters'
  | 'sequences'
  | 'generations'
  | 'tokensPerSecond'
>;

/** Words of English have about this many characters to a token in large vocabularies, more in small ones. */
const charactersPerToken = 3;

const orderOf: Readonly<Record<ModelTier, readonly ModelTier[]>> = {
  small: ['small', 'large', 'remote'],
  large: ['large', 'small', 'remote'],
  remote: ['remote', 'large', 'small'],
};

/** What is open-ended is worth a larger model. */
const largeByDefault: readonly TaskClass[] = ['plan', 'summary'];

export function estimateTokens(texts: readonly string[]): number {
  return Math.ceil(texts.reduce((sum, { length }) => sum + length, 0) / charactersPerToken);
}

/** The tier that is asked first. With a cascade that is the small one, unless the policy says otherwise. */
function preferredTier(taskClass: TaskClass, policy: RoutingPolicy): ModelTier {
  const said = policy.prefer?.[taskClass];
  if (said !== undefined) return said;
  return policy.escalate === undefined && largeByDefault.includes(taskClass) ? 'large' : 'small';
}

export function route(
  question: RouteQuestion,
  candidates: readonly Candidate[],
  policy: RoutingPolicy,
): RouteDecision {
  const excluded: { model: string; reason: string }[] = [];
  const placed: { ranked: RankedModel; place: readonly number[] }[] = [];
  for (const candidate of candidates) {
    const reason = exclusionOf(question, candidate, policy);
    if (reason === null) placed.push(placeOf(question, candidate, policy));
    else excluded.push({ model: candidate.name, reason }); // (R1)
  }
  placed.sort((one, other) => compare(one.place, other.place));
  return { ranked: placed.map(({ ranked }) => ranked), excluded };
}

/** (R1) */
function exclusionOf(
  question: RouteQuestion,
  candidate: Candidate,
  policy: RoutingPolicy,
): string | null {
  if (candidate.tier === 'remote') {
    if (question.privacy === 'local-only') return 'the prompt is local-only, this is an endpoint';
    if (policy.remote === 'never') return 'the policy asks no endpoint';
  }
  if (policy.device !== undefined && policy.device !== candidate.device) {
    return candidate.device === null
      ? `the policy wants the ${policy.device}, and nobody has said where it works`
      : `the policy wants the ${policy.device}, it works on the ${candidate.device}`;
  }
  if (policy.maxCost === undefined) return null;
  const cost = costOf(question, candidate);
  if (cost === null) return 'its cost is not known, and the policy has a budget';
  return cost > policy.maxCost ? `it would cost ${cost}, the budget is ${policy.maxCost}` : null;
}

function costOf(
  { promptTokens, answerTokens }: RouteQuestion,
  { parameters }: Candidate,
): number | null {
  return parameters === null ? null : (promptTokens + answerTokens) * parameters;
}

function placeOf(question: RouteQuestion, candidate: Candidate, policy: RoutingPolicy) {
  const { name: model, tier, contextTokens, tokensPerSecond, generations, state } = candidate;
  const reasons: string[] = [];
  const preferred = preferredTier(question.taskClass, policy);
  reasons.push(
    tier === preferred
      ? `${question.taskClass} prefers ${preferred}`
      : `${tier}, and ${question.taskClass} prefers ${preferred}`,
  );
  const needed = question.promptTokens + question.answerTokens;
  const isShort = contextTokens !== null && needed > contextTokens;
  if (isShort) reasons.push(`its context of ${contextTokens} tokens is short for about ${needed}`);
  const ms = timeOf(question, candidate);
  const isLate = ms !== null && ms > question.timeoutMs;
  if (ms !== null) {
    const speed = `${Math.round(tokensPerSecond ?? 0)} tokens/s`;
    const load = generations === 0 ? '' : `, ${generations} open before it`;
    const late = isLate ? `, later than its limit of ${question.timeoutMs} ms` : '';
    reasons.push(`about ${Math.round(ms)} ms at ${speed}${load}${late}`);
  }
  if (state === 'closed') reasons.push('not loaded yet');
  const place = [
    isShort ? 1 : 0,
    isLate ? 1 : 0,
    orderOf[preferred].indexOf(tier),
    // A speed that nobody has measured is neither good nor bad news.
    ms ?? 0,
    state === 'closed' ? 1 : 0,
  ]; // (R2)
  return { ranked: { model, tier, cost: costOf(question, candidate), reasons }, place };
}

/** Milliseconds until the end of the longest answer, with those before it as long; null when no speed is known. */
function timeOf({ answerTokens }: RouteQuestion, candidate: Candidate): number | null {
  const { tokensPerSecond, generations, sequences } = candidate;
  if (tokensPerSecond === null) return null;
  const turnsBefore = sequences === null ? 0 : Math.floor(generations / sequences);
  return ((turnsBefore + 1) * answerTokens * 1_000) / tokensPerSecond;
}

function compare(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at < 0 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
}
