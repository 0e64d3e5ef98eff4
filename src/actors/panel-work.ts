/**
 * What a panel does, as pure functions of its context and one event: the
 * questions of a stage, what was said, what it cost, the findings.
 */
import { assert } from '../kernel/assert.ts';
import type { ErrorMessage } from '../kernel/errors.ts';
import type { ActorId } from '../kernel/ids.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { act } from './act.ts';
import { generation } from './agent-question.ts';
import { agentOf, definitionOf, stepOf, templateScope } from './definition.ts';
import type { StartPanelEvent, StepVariables, TimedEvent } from './event.ts';
import type { ActIntention, Intention } from './intention.ts';
import { type Generation, judge } from './judge.ts';
import { panelReading } from './panel-label.ts';
import { programSpeaker } from './patterns/code.ts';
import { asksOf, findingsOf } from './patterns/index.ts';
import type { Ask, Matter, Statement } from './patterns/pattern.ts';
import type { AgentDefinition } from './pipeline-definition.ts';
import { renderTemplate } from './template.ts';
import { sandboxLimits } from './tool-call.ts';
import type { ValidateDefinition } from './validate-definition.ts';
import type { Validation } from './validation.ts';

/** What the tag of each generation of a panel begins with; its stage and seat follow. */
export const generatePrefix = 'generate:';
const programPrefix = 'program:';

type Cost = Pick<Validation, 'generations' | 'promptTokens' | 'answerTokens' | 'programs'>;

export const noCost: Cost = { generations: 0, promptTokens: 0, answerTokens: 0, programs: 0 };

export interface PanelContext {
  readonly self: ActorId;
  readonly parent: ActorId;
  readonly definition: string;
  readonly seed: number;
  readonly step: string;
  readonly variables: StepVariables;
  readonly each: Json;
  readonly question: string;
  readonly asked: StartPanelEvent['asked'];
  readonly answer: Json;
  readonly stage: number;
  /** Tags of the present stage that are not answered yet. */
  readonly open: readonly string[];
  /** By stage and seat, whenever it arrived. */
  readonly said: readonly Statement[];
  readonly cost: Cost;
  /** The technical failure that ends it. */
  readonly error: ErrorMessage | null;
  /** Of all that it asks and finds; only where the pipeline has labels. */
  readonly label?: string;
}

export type PanelArguments = { context: PanelContext; event: TimedEvent };

export function begin({ context, event }: PanelArguments): Partial<PanelContext> {
  assert(event.type === 'start' && event.machine === 'panel', 'a panel is started as one');
  const { self, parent, definition, seed, step, variables, each, question, asked, answer } = event;
  const own = { self, parent, definition, seed, step, variables, each, question, asked, answer };
  const reading = panelReading(event);
  const labelled = reading === null ? {} : { label: reading.label, error: reading.refusal };
  return { ...context, ...own, ...labelled };
}

/** Whether the panel is started to hear that a member may not read what it needs. */
export function isRefused({ event }: Pick<PanelArguments, 'event'>): boolean {
  assert(event.type === 'start' && event.machine === 'panel', 'a panel is started as one');
  return panelReading(event)?.refusal != null;
}

/** The panel under another definition; a member may no longer read what its prompt names. */
export function amended({ context, event }: PanelArguments): Partial<PanelContext> {
  assert(event.type === 'amend', 'the definition is amended');
  const { definition } = event;
  const reading = panelReading({ ...context, definition });
  if (reading === null) return { definition };
  return { definition, label: reading.label, error: reading.refusal };
}

export function amendmentRefused({ context, event }: PanelArguments): boolean {
  assert(event.type === 'amend', 'the definition is amended');
  return panelReading({ ...context, definition: event.definition })?.refusal != null;
}

function settingsOf(context: PanelContext): { settings: ValidateDefinition; matter: Matter } {
  const definition = definitionOf(context.definition);
  const step = stepOf(definition, context.step);
  const agent = agentOf(definition, step);
  const settings = agent?.validate;
  assert(agent !== null && settings !== undefined, 'the agent of the step has a panel');
  const { question, answer, each } = context;
  return { settings, matter: { question, answer, each, proposer: step.agent ?? '', agent } };
}

/** Whom the present stage asks by what was said before it (T1). */
function asks(context: PanelContext): readonly Ask[] {
  const { settings, matter } = settingsOf(context);
  const before = context.said.filter(({ stage }) => stage < context.stage);
  return asksOf(settings, context.stage, matter, before);
}

function memberOf(context: PanelContext, name: string): AgentDefinition {
  const found = definitionOf(context.definition).agents[name];
  assert(found !== undefined, `no agent ${name}`);
  return found;
}

/** Far from the seeds of retries, which follow one another, and different for each seat. */
function seedOf({ seed, stage }: PanelContext, seat: number): number {
  return (seed + Math.imul(stage * 31 + seat + 1, 0x9e37_79b9)) >>> 0;
}

/** What a program reads as `input`. */
function programInput(context: PanelContext, written: Json): JsonObject {
  const { question, answer, each, variables } = context;
  const steps = JSON.parse(variables.steps) as JsonObject;
  return { question, answer, each, written, steps, document: variables.document?.text ?? null };
}

function messagesTo(context: PanelContext, name: string, variables: JsonObject): JsonObject {
  const { prompt, system } = memberOf(context, name);
  const { question, answer } = context;
  const scope = {
    ...templateScope(context.variables, context.each),
    question,
    answer,
    ...variables,
  };
  const user = { role: 'user', content: renderTemplate(prompt, scope) };
  if (system === undefined) return { messages: [user] };
  return { messages: [{ role: 'system', content: renderTemplate(system, scope) }, user] };
}

function questionTo(context: PanelContext, ask: Ask, seat: number): ActIntention {
  const place = `${context.stage}-${seat}`;
  const seed = seedOf(context, seat);
  const { matter } = settingsOf(context);
  const definition = definitionOf(context.definition);
  const step = stepOf(definition, context.step);
  const { label } = context;
  const generate = (agent: AgentDefinition, asked: JsonObject, temperature: number) => {
    const model = agent.model ?? null;
    const question = { definition, step, agent, asked, model, temperature, seed, label };
    return generation(`${generatePrefix}${place}`, question);
  };
  switch (ask.kind) {
    case 'again': {
      // What is unsure shows in the votes; a halted sample would have none.
      const supervise = { ...matter.agent.supervise, minConfidence: undefined };
      const messages = context.asked.map((message) => ({ ...message }));
      return generate({ ...matter.agent, supervise }, { messages }, ask.temperature);
    }
    case 'agent': {
      const agent = memberOf(context, ask.name);
      return generate(agent, messagesTo(context, ask.name, ask.variables), agent.temperature);
    }
    case 'program':
      return act(
        `${programPrefix}${place}`,
        { actuator: 'sandbox', operation: 'run' },
        {
          source: ask.source,
          input: programInput(context, ask.written),
          ...sandboxLimits(matter.agent),
          ...(label === undefined ? {} : { label }),
        },
      );
  }
}

/** The questions of the present stage; none when all is said. */
export function questions(context: PanelContext): readonly ActIntention[] {
  return asks(context).map((ask, seat) => questionTo(context, ask, seat));
}

export function hasQuestions(context: PanelContext): boolean {
  return asks(context).length > 0;
}

export function takeAsked({ context }: PanelArguments): Partial<PanelContext> {
  return { open: questions(context).map(({ tag }) => tag) };
}

/** Under another definition: those open questions that are others then. */
export function askAgain({ context, event }: PanelArguments): readonly Intention[] {
  assert(event.type === 'amend', 'the definition is amended');
  const before = new Map(questions(context).map((each) => [each.tag, JSON.stringify(each)]));
  return questions({ ...context, ...amended({ context, event }) }).filter(
    (each) => context.open.includes(each.tag) && before.get(each.tag) !== JSON.stringify(each),
  );
}

/** Nobody else can answer in the place of whoever failed so. */
export function isTechnicalFailure({ event }: PanelArguments): boolean {
  if (event.type !== 'outcome' || event.outcome.status === 'completed') return false;
  return !event.tag.startsWith(programPrefix) || event.outcome.error.retryable === true;
}

function withoutTag(context: PanelContext, tag: string): readonly string[] {
  assert(context.open.includes(tag), `the question ${tag} is open`);
  return context.open.filter((each) => each !== tag);
}

export function takeFailure({ context, event }: PanelArguments): Partial<PanelContext> {
  assert(event.type === 'outcome' && event.outcome.status !== 'completed', 'a failed outcome');
  return { open: withoutTag(context, event.tag), error: event.outcome.error };
}

export function takeNothing({ context, event }: PanelArguments): Partial<PanelContext> {
  assert(event.type === 'outcome', 'an outcome');
  return { open: withoutTag(context, event.tag) };
}

export function takeOutcome({ context, event }: PanelArguments): Partial<PanelContext> {
  assert(event.type === 'outcome', 'an outcome');
  const open = withoutTag(context, event.tag);
  const seat = Number(event.tag.split('-').at(-1));
  const ask = asks(context)[seat];
  assert(ask !== undefined, 'somebody was asked');
  const statement = { stage: context.stage, seat, ...statementOf(context, ask, event) };
  const said = [...context.said, statement].sort((a, b) => a.stage - b.stage || a.seat - b.seat);
  return { open, said, cost: costAfter(context.cost, ask, event) };
}

type Said = Omit<Statement, 'stage' | 'seat'>;
type OutcomeOf = Extract<TimedEvent, { type: 'outcome' }>;

function statementOf(context: PanelContext, ask: Ask, { outcome }: OutcomeOf): Said {
  if (ask.kind === 'program') {
    const speaker = programSpeaker;
    return outcome.status === 'completed'
      ? { speaker, output: outcome.value, answered: true, reasons: [] }
      : {
          speaker,
          output: null,
          answered: false,
          reasons: [`The program failed: ${outcome.error.message}`],
        };
  }
  assert(outcome.status === 'completed', 'a completed outcome');
  const { matter } = settingsOf(context);
  const isMember = ask.kind === 'agent';
  const speaker = isMember ? ask.name : matter.proposer;
  const agent = isMember ? memberOf(context, ask.name) : matter.agent;
  const judged = judge(agent, outcome.value as unknown as Generation, {
    document: context.variables.document?.text ?? '',
    steps: templateScope(context.variables, null).steps,
    // A member works on the answer, whoever answers again on what the answer is about.
    each: isMember ? examinedElement(context) : context.each,
  });
  const { output, answered, reasons } = judged;
  return { speaker, output, answered, reasons };
}

/** What the checks of a member take for the element at work. */
function examinedElement({ question, answer }: PanelContext): Json {
  return isJsonObject(answer) ? answer : { question, answer };
}

function costAfter(cost: Cost, ask: Ask, { outcome }: OutcomeOf): Cost {
  if (ask.kind === 'program') return { ...cost, programs: cost.programs + 1 };
  const value = outcome.status === 'completed' ? outcome.value : null;
  const usage = isJsonObject(value) && isJsonObject(value.usage ?? null) ? value.usage : {};
  const { promptTokens = 0, answerTokens = 0 } = usage as Partial<Record<keyof Cost, number>>;
  return {
    ...cost,
    generations: cost.generations + 1,
    promptTokens: cost.promptTokens + promptTokens,
    answerTokens: cost.answerTokens + answerTokens,
  };
}

export function abortOpen({ context }: PanelArguments): readonly Intention[] {
  return context.open.map((tag) => ({ kind: 'abort', tag }));
}

export function reportFindings({ context }: PanelArguments): readonly Intention[] {
  const { settings, matter } = settingsOf(context);
  const { output, reasons, evidence } = findingsOf(settings, matter, context.said);
  const validation = { pattern: settings.pattern, panels: 1, ...context.cost, evidence };
  const labelled = context.label === undefined ? {} : { label: context.label };
  const event = { type: 'panel-done', output, reasons, validation, ...labelled } as const;
  return [{ kind: 'send', to: context.parent, event }];
}

export function reportFailure({ context }: PanelArguments): readonly Intention[] {
  assert(context.error !== null, 'a panel that failed knows why');
  const event = { type: 'panel-failed', error: context.error } as const;
  return [{ kind: 'send', to: context.parent, event }];
}
