/**
 * The one door to every side effect.
 *
 * Invariants
 *   G1. Nothing is carried out before the request is parsed, its operation is
 *       known, its actor is who it says and permitted this one execution, its
 *       arguments fit and its effect class is the declared one, in this order
 *       (law D7).
 *   G2. An effect that leaves a trace waits until the record of its intention
 *       is durable (law D2).
 *       Where the journal is relaxed it would wait in vain, so what must not
 *       happen twice is refused.
 *   G3. One key is carried out once at a time: a second request joins the
 *       first, and one that comes after its completion gets the same outcome
 *       (law D3). A failed one may be tried again under its key. What must
 *       not be repeated, and was stopped or broke on its way, is unknown.
 *   G4. A key stands for one intention: the same key with other arguments is
 *       refused.
 *   G5. For a fork nothing is carried out that reaches beyond its own files,
 *       unless that was allowed (law D5).
 *   G6. `perform` never rejects, and every refusal has a code.
 *   G7. A refusal on grounds of identity or permission is told to `guard` before
 *       it is answered, and whom the guard has cut off gets nothing more done.
 *   G8. Every outcome is scrubbed before anybody has it, those that are
 *       remembered too (law D7).
 *   G9. What an intention guard refuses (clearance, policies) is not carried out,
 *       whoever signed it.
 */
import type { AgentCertificate } from '../identity/agent-certificate.ts';
import type { IdentityVerifier } from '../identity/identity-verifier.ts';
import type { JournalMode } from '../journal/journal-writer.ts';
import { assert } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';
import { type ErrorCode, type ErrorMessage, RuntimeError } from '../kernel/errors.ts';
import { hashJson } from '../kernel/hash.ts';
import { type ActorId, type IntentionKey, parseIntentionKey, type RunId } from '../kernel/ids.ts';
import { findNonJson, type Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { Actuator, Operation } from './actuator.ts';
import { ActuatorActor } from './actuator-actor.ts';
import type { IntentionGuard } from './intention-guard.ts';
import {
  type CheckedRequest,
  firstProblem,
  type IntentionOutcome,
  intentionRequestSchema,
} from './intention-request.ts';
import { RememberedOutcomes } from './remembered-outcomes.ts';

export interface GatewayOptions {
  readonly actuators: readonly Actuator[];
  readonly identities: Pick<IdentityVerifier, 'admit'>;
  readonly guard: Guard;
  readonly clock: Clock;
  /** Absolute folder of the workspace of a run. */
  readonly workspaceOf: (run: RunId) => string;
  /** Resolves once the journal is durable up to a ring position; rejects when it has failed. */
  readonly whenDurable: (position: number) => Promise<void>;
  readonly journalMode: JournalMode;
  /** Takes secrets out of an outcome (G8). */
  readonly scrub?: (outcome: IntentionOutcome) => IntentionOutcome;
  /** Asked in their order about each intention that is valid so far (G9). */
  readonly guards?: readonly IntentionGuard[];
}

/** Who looks on: told of each refusal on grounds of identity or permission (G7). */
export interface Guard {
  /** An intention of the actor has come; why it gets nothing done, or null. */
  seen(run: RunId, actor: ActorId): Promise<ErrorMessage | null>;
  /** Resolves once what follows from the refusal is durable. */
  refused(refusal: {
    readonly run: RunId;
    readonly actor: ActorId;
    readonly operation: string;
    readonly error: ErrorMessage;
  }): Promise<void>;
}

interface Door {
  readonly actuator: Actuator;
  readonly actor: ActuatorActor;
}

/** A request that may be carried out. */
interface Admitted {
  readonly request: CheckedRequest;
  readonly operation: Operation;
  readonly args: unknown;
  readonly actor: ActuatorActor;
  /** Hash of everything that makes the intention what it is (G4). */
  readonly digest: string;
}

interface InFlight {
  readonly digest: string;
  readonly controller: AbortController;
  readonly outcome: Promise<IntentionOutcome>;
}

export class ActuatorGateway {
  readonly #options: GatewayOptions;
  readonly #doors = new Map<string, Door>();
  readonly #inFlight = new Map<IntentionKey, InFlight>();
  /** Of requests that are being checked. */
  readonly #checking = new Map<IntentionKey, AbortController>();
  readonly #remembered = new RememberedOutcomes();
  /** Forks that were not allowed more. */
  readonly #withheld = new Set<RunId>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    for (const actuator of options.actuators) {
      assert(!this.#doors.has(actuator.name), `two actuators are named ${actuator.name}`);
      const actor = new ActuatorActor({
        runningMax: actuator.concurrency ?? limits.actuatorConcurrencyDefault,
        waitingMax: limits.actuatorQueueMax,
      });
      this.#doors.set(actuator.name, { actuator, actor });
    }
  }

  /** Carries out one request (IntentionRequest), or says why not (G6). */
  async perform(request: unknown): Promise<IntentionOutcome> {
    try {
      const parsed = intentionRequestSchema.safeParse(request);
      if (parsed.success) return await this.#performParsed(parsed.data);
      const message = `The intention is not valid (${firstProblem(parsed.error)}).`;
      return this.#scrubbed(refused(keyOf(request), 'INTENTION_INVALID', message));
    } catch (error) {
      return this.#scrubbed(refused(keyOf(request), 'INTERNAL', describe(error)));
    }
  }

  async #performParsed(request: CheckedRequest): Promise<IntentionOutcome> {
    const { key } = request;
    const controller = this.#checking.get(key) ?? new AbortController();
    this.#checking.set(key, controller);
    const admitted = await this.#check(request).finally(() => this.#checking.delete(key));
    if ('status' in admitted) return this.#scrubbed(admitted);
    if (!controller.signal.aborted) return this.#start(admitted, controller);
    const { code, message } = aborted();
    return { key, status: 'failed', error: { code, message } };
  }

  /** From here on nothing of the run reaches beyond its own files (G5). */
  withhold(run: RunId): void {
    this.#withheld.add(run);
  }

  /** Stops an intention that waits or runs; false when there is none. Its outcome still comes. */
  abort(key: string): boolean {
    const found =
      this.#checking.get(key as IntentionKey) ??
      this.#inFlight.get(key as IntentionKey)?.controller;
    found?.abort();
    return found !== undefined;
  }

  /**
   * Stops everything that is checked, waits or runs for a run that is over.
   */
  endRun(run: RunId): void {
    this.#withheld.delete(run);
    for (const [key, controller] of this.#controllers()) {
      if (parseIntentionKey(key).run === run) controller.abort();
    }
  }

  /** Aborts everything in flight and waits for the outcomes. */
  async close(): Promise<void> {
    for (const [, controller] of this.#controllers()) controller.abort();
    for (const { actor } of this.#doors.values()) actor.close();
    await Promise.all([...this.#inFlight.values()].map(({ outcome }) => outcome));
  }

  #controllers(): (readonly [IntentionKey, AbortController])[] {
    const running = [...this.#inFlight].map(([key, { controller }]) => [key, controller] as const);
    return [...this.#checking, ...running];
  }

  /** The checks before any effect, in their order (G1). */
  async #check(request: CheckedRequest): Promise<Admitted | IntentionOutcome> {
    const { key, actuator: name } = request;
    const door = this.#doors.get(name);
    const operations = door?.actuator.operations ?? {};
    const operation = Object.hasOwn(operations, request.operation)
      ? operations[request.operation]
      : undefined;
    if (door === undefined || operation === undefined) {
      const message = `There is no operation ${name}.${request.operation}.`;
      return refused(key, 'ACTUATOR_UNKNOWN', message);
    }
    const who = await this.#identify(request);
    if ('code' in who) return { key, status: 'refused', error: who };
    const args = operation.arguments.safeParse(request.arguments);
    if (!args.success) {
      const message = `The arguments of ${name}.${request.operation} are not valid (${firstProblem(args.error)}).`;
      return refused(key, 'INTENTION_INVALID', message);
    }
    if (request.effect !== operation.effect) {
      const message = `${name}.${request.operation} is ${operation.effect}, not ${request.effect}.`;
      return refused(key, 'INTENTION_INVALID', message);
    }
    if (operation.effect === 'once' && this.#options.journalMode === 'relaxed') {
      const message = `${name}.${request.operation} must not happen twice, and a relaxed journal may forget that it did.`;
      return refused(key, 'JOURNAL_RELAXED', message); // (G2)
    }
    if (
      operation.outside === true &&
      operation.effect !== 'pure' &&
      this.#withheld.has(request.run)
    ) {
      const message = `${name}.${request.operation} reaches beyond the files of a fork; fork again with --allow-effects if it may happen once more.`;
      return refused(key, 'EFFECT_WITHHELD', message); // (G5)
    }
    for (const guard of this.#options.guards ?? []) {
      const refusal = guard(request, who); // (G9)
      if (refusal === null) continue;
      await this.#tellRefusal(request, refusal);
      return refused(key, refusal.code, refusal.message, refusal.retryable);
    }
    const digest = hashJson([name, request.operation, request.arguments]);
    return { request, operation, args: args.data, actor: door.actor, digest };
  }

  /** Whose intention it is, by the authority's word; a refusal is told first (G7). */
  async #identify(request: CheckedRequest): Promise<AgentCertificate | ErrorMessage> {
    const { run, actor, key, actuator, operation, credentials, denial } = request;
    const { guard, identities, clock } = this.#options;
    const cut = await guard.seen(run, actor);
    if (cut !== null) return cut;
    const execution = { run, actor, key, actuator, operation, arguments: request.arguments };
    const now = Math.floor(clock.nowMs() / 1_000);
    const verdict =
      credentials === null
        ? (denial ?? { code: 'PERMISSION_DENIED', message: 'The authority vouches for nothing.' })
        : await identities.admit(execution, credentials, now);
    if (!('code' in verdict)) return verdict;
    const error = { ...verdict, retryable: false };
    await guard.refused({ run, actor, operation: `${actuator}.${operation}`, error });
    return error;
  }

  /** What an actuator itself does not permit counts as a refusal, too (G7). */
  async #tellRefusal({ run, actor, actuator, operation }: CheckedRequest, error: ErrorMessage) {
    if (!notPermitted.has(error.code)) return;
    const refusal = { run, actor, operation: `${actuator}.${operation}`, error };
    await this.#options.guard.refused(refusal);
  }

  #start(
    admitted: Admitted,
    controller: AbortController,
  ): Promise<IntentionOutcome> | IntentionOutcome {
    const { actor, digest } = admitted;
    const { key } = admitted.request;
    const running = this.#inFlight.get(key);
    const known = running ?? this.#remembered.get(key);
    if (known !== undefined) {
      if (known.digest === digest) return known.outcome; // (G3)
      return refused(
        key,
        'INTENTION_INVALID',
        `The key ${key} already stands for another intention.`,
      ); // (G4)
    }
    const turn = actor.request(key);
    if (turn === null) {
      const message = `Too many intentions wait for ${admitted.request.actuator}; try again later.`;
      return refused(key, 'ACTUATOR_BUSY', message, true);
    }
    const outcome = this.#carryOut(admitted, turn, controller.signal).then((whole) => {
      const ended = this.#scrubbed(whole); // (G8)
      actor.ended(key);
      this.#inFlight.delete(key);
      if (ended.status === 'completed' || ended.status === 'unknown')
        this.#remembered.set(key, digest, ended);
      return ended;
    });
    this.#inFlight.set(key, { digest, controller, outcome });
    return outcome;
  }

  /** An outcome that cannot be scrubbed is not given away. */
  #scrubbed(outcome: IntentionOutcome): IntentionOutcome {
    try {
      return this.#options.scrub?.(outcome) ?? outcome;
    } catch {
      const { key, status } = outcome;
      const message = 'The outcome could not be searched for secrets, so nobody is shown it.';
      const open = status === 'unknown' || status === 'refused' ? status : 'failed';
      return { key, status: open, error: { code: 'ACTUATOR_FAILED', message } };
    }
  }

  /** Waits for its turn and for the disk, performs, and checks the result. Never rejects. */
  async #carryOut(
    admitted: Admitted,
    turn: Promise<void>,
    signal: AbortSignal,
  ): Promise<IntentionOutcome> {
    const { request, operation } = admitted;
    const { key, run } = request;
    let begun = false;
    try {
      await orAborted(turn, signal);
      if (operation.effect !== 'pure') {
        await orAborted(this.#options.whenDurable(request.journalPosition), signal); // (G2)
      }
      if (signal.aborted) throw aborted();
      begun = true;
      const value = await operation.perform(admitted.args, {
        key,
        run,
        workspace: this.#options.workspaceOf(run),
        signal,
        clock: this.#options.clock,
        recorded: () => this.#options.whenDurable(request.journalPosition),
      });
      return { key, status: 'completed', value: checkedResult(request, operation, value) };
    } catch (error) {
      const what = failure(error, signal);
      await this.#tellRefusal(request, what);
      const isUnknown = begun && operation.effect === 'once' && leavesOpen(what, signal); // (G3)
      return { key, status: isUnknown ? 'unknown' : 'failed', error: what };
    }
  }
}

/** Errors of actuators that say: this agent may not. */
const notPermitted: ReadonlySet<string> = new Set([
  'EGRESS_NOT_GRANTED',
  'EGRESS_DENIED',
  'POLICY_DENIED',
  'CLEARANCE_INSUFFICIENT',
]);

/** Whether an operation that began, and must not be repeated, may have happened. */
function leavesOpen({ code }: ErrorMessage, signal: AbortSignal): boolean {
  return signal.aborted || code === 'OUTCOME_UNKNOWN' || code === 'INTERNAL';
}

/** The result as plain JSON; whatever else an actuator gives never enters the journal. */
function checkedResult(request: CheckedRequest, operation: Operation, value: unknown): Json {
  const parsed = operation.result.safeParse(value);
  const problem = parsed.success ? findNonJson(parsed.data) : firstProblem(parsed.error);
  if (parsed.success && problem === null) return parsed.data as Json;
  throw new RuntimeError(
    'ACTUATOR_FAILED',
    `The result of ${request.actuator}.${request.operation} is not what it declares (${problem}).`,
  );
}

function aborted(): RuntimeError {
  return new RuntimeError('INTENTION_ABORTED', 'The intention was stopped on request.');
}

async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(aborted());
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    // The abort comes first: it wins even when the other has already come.
    await Promise.race([stopped, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** An error as an outcome carries it; without a stack, which would differ from host to host. */
function failure(error: unknown, signal: AbortSignal): ErrorMessage {
  if (error instanceof RuntimeError) {
    const { code, message, retryable } = error;
    return { code, message, retryable };
  }
  if (signal.aborted) return { code: 'INTENTION_ABORTED', message: aborted().message };
  return { code: 'INTERNAL', message: describe(error) };
}

function describe(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500);
}

function refused(
  key: string,
  code: ErrorCode,
  message: string,
  retryable = false,
): IntentionOutcome {
  return { key, status: 'refused', error: { code, message, retryable } };
}

/** The key of a request that may be anything, for the refusal to name. */
function keyOf(request: unknown): string {
  const key = typeof request === 'object' && request !== null && 'key' in request && request.key;
  return typeof key === 'string' ? key.slice(0, 400) : '';
}
