/**
 * The port of a set of models that chooses among them: for a generation
 * that names no model, under a policy. Without a policy it only passes on.
 *
 * Invariants
 *   D1. Only models that the decision ranks are asked, each at most once. The set
 *       enforces privacy once more, whatever is asked here.
 *   D2. Tokens are shown of the answer that stands, not of one that was passed over.
 *   D3. A time limit or an abort ends the generation: no other model is asked then.
 */
import type { RoutingPolicy } from '../actors/routing-policy.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type {
  GeneratedToken,
  GenerateOptions,
  GenerationOutcome,
  GenerationRequest,
  ModelInfo,
  ModelPort,
  ModelUsage,
} from './model-port.ts';
import { ModelSet, type ModelSetSettings } from './model-set.ts';
import type { ModelStatus } from './model-status.ts';
import type { RouteAttempt, RouteRecord } from './route-record.ts';
import { estimateTokens, type RankedModel, type RouteDecision, route } from './router.ts';
import { lexicalClassifier, type TaskClassifier } from './task-classifier.ts';

/** After these another model may do better; nothing was shown of the failed answer. */
const passedOverCodes: readonly string[] = [
  'INFERENCE_UNAVAILABLE',
  'INFERENCE_REJECTED',
  'INFERENCE_PROTOCOL',
  'CONTEXT_TOO_LONG',
  'MODEL_NOT_FOUND',
  'MODEL_INVALID',
  'MODEL_TOO_LARGE',
  'SCHEMA_UNSUPPORTED',
];

export interface RoutedModelsSettings extends ModelSetSettings {
  /** Of generations that bring none; null: the default model answers them. */
  readonly routing: RoutingPolicy | null;
}

/** A generation that is being routed. */
interface Routing {
  readonly request: GenerationRequest;
  readonly options: GenerateOptions;
  readonly policy: RoutingPolicy;
  readonly ranked: readonly RankedModel[];
  readonly parameters: ReadonlyMap<string, number | null>;
  readonly attempts: RouteAttempt[];
}

export interface Explanation extends Omit<RouteRecord, 'attempts' | 'cost'> {}

/** The decision for a request, with what it was made from. */
export function explainRoute(
  request: Pick<GenerationRequest, 'messages' | 'schema' | 'privacy' | 'maxTokens' | 'timeoutMs'>,
  models: readonly ModelStatus[],
  policy: RoutingPolicy,
  classifier: TaskClassifier = lexicalClassifier,
): Explanation {
  const { taskClass, evidence } = classifier.classify(request);
  const question = {
    taskClass,
    privacy: request.privacy ?? 'any',
    promptTokens: estimateTokens(request.messages.map(({ content }) => content)),
    answerTokens: request.maxTokens,
  } as const;
  const decision = route({ ...question, timeoutMs: request.timeoutMs }, models, policy);
  return { ...question, evidence, ...plain(decision) };
}

/** As the journal takes it. */
function plain({ ranked, excluded }: RouteDecision) {
  return {
    ranked: ranked.map((each) => ({ ...each, reasons: [...each.reasons] })),
    excluded: [...excluded],
  };
}

export class RoutedModels implements ModelPort {
  readonly #set: ModelSet;
  readonly #policy: RoutingPolicy | null;
  readonly #classifier: TaskClassifier;

  /** @param policy of requests that bring none; null to route only those that do */
  constructor(
    set: ModelSet,
    policy: RoutingPolicy | null,
    classifier: TaskClassifier = lexicalClassifier,
  ) {
    this.#set = set;
    this.#policy = policy;
    this.#classifier = classifier;
  }

  get info(): ModelInfo {
    return this.#set.info;
  }

  models(): Promise<readonly ModelStatus[]> {
    return this.#set.models();
  }

  /** @throws RuntimeError as `ModelSet.reload` */
  reload(name: string): Promise<ModelStatus> {
    return this.#set.reload(name);
  }

  usage(): Promise<ModelUsage | null> {
    return this.#set.usage();
  }

  forget(queueKey: string): Promise<void> {
    return this.#set.forget(queueKey);
  }

  close(): Promise<void> {
    return this.#set.close();
  }

  /** @throws RuntimeError also PRIVACY_LOCAL_ONLY and ROUTE_EMPTY when no model may answer */
  async generate(
    { routing, ...request }: GenerationRequest,
    options: GenerateOptions = {},
  ): Promise<GenerationOutcome> {
    const policy = routing ?? this.#policy;
    const isNamed = request.model !== null && request.model !== undefined;
    if (policy === null || isNamed) return this.#set.generate(request, options);
    const models = await this.#set.models();
    const explanation = explainRoute(request, models, policy, this.#classifier);
    const { ranked } = explanation;
    const parameters = new Map(models.map((model) => [model.name, model.parameters]));
    const attempts: RouteAttempt[] = [];
    const outcome = await this.#ask({ request, options, policy, ranked, parameters, attempts });
    if (outcome === null) throw nobodyMay(explanation);
    const cost = costOf(attempts, outcome, [...ranked], parameters);
    return { ...outcome, routing: { ...explanation, attempts, cost } };
  }

  /** Asks one model after the other (D1); null when there is none. */
  async #ask(routing: Routing): Promise<GenerationOutcome | null> {
    let doubtful: GenerationOutcome | null = null;
    let failure: unknown = null;
    for (let index = 0; index < routing.ranked.length; ) {
      const model = routing.ranked[index];
      if (model === undefined) break;
      const larger = doubtful === null ? largerAfter(routing, index) : null;
      try {
        const { outcome, show } = await this.#attempt(routing, model, larger !== null);
        const doubt = larger === null ? null : doubtOf(outcome, routing.policy);
        routing.attempts.push(attemptOf(routing, model, outcome, doubt));
        if (doubt === null || larger === null) {
          show();
          return outcome;
        }
        doubtful = outcome;
        index = larger;
      } catch (error) {
        if (!mayPassOver(error)) throw error; // (D3)
        routing.attempts.push(failedAttempt(model, error));
        failure = error;
        index += 1;
      }
    }
    if (doubtful === null && failure !== null) throw failure;
    // A doubtful answer is better than none.
    if (doubtful !== null) standAfterAll(routing, doubtful);
    return doubtful;
  }

  /** @param held Whether the tokens wait until it is known that the answer stands (D2). */
  async #attempt({ request, options }: Routing, { model }: RankedModel, held: boolean) {
    const { onToken, ...others } = options;
    const tokens: GeneratedToken[] = [];
    let shown = false;
    const hear = (token: GeneratedToken, place: number): void => {
      if (!held) onToken?.(token, place);
      else tokens.splice(place, Number.POSITIVE_INFINITY, token);
      shown = !held && onToken !== undefined;
    };
    try {
      const asked = { ...request, model };
      const outcome = await this.#set.generate(asked, { ...others, onToken: hear });
      const show = (): void => {
        for (const [place, token] of tokens.entries()) onToken?.(token, place);
      };
      return { outcome, show };
    } catch (error) {
      throw shown ? new ShownError(error) : error;
    }
  }
}

/** Of an answer that somebody has seen a part of: no other may follow it. */
class ShownError {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

function mayPassOver(error: unknown): error is RuntimeError {
  if (error instanceof ShownError) throw error.cause;
  return error instanceof RuntimeError && passedOverCodes.includes(error.code);
}

/** Place of the next model of a higher tier, where the policy escalates. */
function largerAfter({ policy, ranked }: Routing, index: number): number | null {
  if (policy.escalate === undefined || ranked[index]?.tier !== 'small') return null;
  const found = ranked.findIndex(({ tier }, at) => at > index && tier !== 'small');
  return found < 0 ? null : found;
}

/** Why the answer of a small model does not stand; null when it does, or when nobody can tell. */
function doubtOf(
  { status, minConfidence, halt }: GenerationOutcome,
  { escalate }: RoutingPolicy,
): string | null {
  if (status === 'halted') return `stopped by the detector of ${halt?.detector ?? 'tokens'}`;
  if (escalate === undefined || minConfidence === null || minConfidence >= escalate.below) {
    return null;
  }
  return `its least probability ${minConfidence.toFixed(3)} is below ${escalate.below}`;
}

function tokensOf({ usage }: GenerationOutcome): number {
  return usage.promptTokens + usage.answerTokens;
}

function attemptOf(
  { parameters }: Routing,
  { model }: RankedModel,
  outcome: GenerationOutcome,
  passedOver: string | null,
): RouteAttempt {
  const [tokens, count] = [tokensOf(outcome), parameters.get(model) ?? null];
  const cost = count === null ? null : tokens * count;
  return { model, passedOver, minConfidence: outcome.minConfidence, tokens, cost };
}

function failedAttempt({ model }: RankedModel, { code }: RuntimeError): RouteAttempt {
  return { model, passedOver: code, minConfidence: null, tokens: 0, cost: null };
}

/** What answered last is last, and nothing passes it over. */
function standAfterAll({ attempts, options }: Routing, outcome: GenerationOutcome): void {
  const at = attempts.findIndex(({ tokens }) => tokens > 0);
  const [doubtful] = at < 0 ? [] : attempts.splice(at, 1);
  if (doubtful !== undefined) attempts.push({ ...doubtful, passedOver: null });
  for (const [place, token] of outcome.tokens.entries()) options.onToken?.(token, place);
}

function costOf(
  attempts: readonly RouteAttempt[],
  outcome: GenerationOutcome,
  ranked: readonly RankedModel[],
  parameters: ReadonlyMap<string, number | null>,
): RouteRecord['cost'] {
  const answered = attempts.filter(({ tokens }) => tokens > 0);
  const spent = answered.some(({ cost }) => cost === null)
    ? null
    : answered.reduce((sum, { cost }) => sum + (cost ?? 0), 0);
  const most = Math.max(0, ...ranked.map(({ model }) => parameters.get(model) ?? 0));
  return { spent, saved: spent === null || most === 0 ? null : tokensOf(outcome) * most - spent };
}

function nobodyMay({ excluded, privacy }: Explanation): RuntimeError {
  const reasons = excluded.map(({ model, reason }) => `${model}: ${reason}`).join('; ');
  const isPrivate =
    privacy === 'local-only' && excluded.every(({ reason }) => /local-only/.test(reason));
  return isPrivate
    ? new RuntimeError(
        'PRIVACY_LOCAL_ONLY',
        `The prompt is local-only and every model is behind an endpoint (${reasons}); add a model file, or say privacy: any.`,
      )
    : new RuntimeError(
        'ROUTE_EMPTY',
        `The routing policy lets no model answer (${reasons}); change the policy or add a model.`,
      );
}

/** @throws RuntimeError as `ModelSet.open` */
export async function openRoutedModels(settings: RoutedModelsSettings): Promise<RoutedModels> {
  const set = new ModelSet(settings);
  await set.open();
  return new RoutedModels(set, settings.routing);
}
