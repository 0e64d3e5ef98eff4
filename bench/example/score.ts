/**
 * Compares what a run reported with the labels.
 *
 * A unit is one team, one name, place, date or amount, one answer, one call.
 * Precision is the share of right units among those that reach the report
 * without a flag; coverage is the share of labelled units that do, and are
 * right. Accuracy asks of every message whether a kind is right as a whole,
 * flagged or not.
 */
import { judge } from '../../src/actors/judge.ts';
import { messageParts } from '../../src/actors/message-parts.ts';
import type { PipelineDefinition } from '../../src/actors/pipeline-definition.ts';
import type { StepResult } from '../../src/actors/step-result.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/kernel/json.ts';
import type { LabelledMessage, MessageLabel } from './labels.ts';
import type { DocumentResult, Element } from './run-inbox.ts';

export const kinds = ['route', 'names', 'places', 'dates', 'amounts', 'answer', 'call'] as const;
export type Kind = (typeof kinds)[number];
const fieldKinds = ['names', 'places', 'dates', 'amounts'] as const;

export interface KindScore {
  /** Labelled units. */
  units: number;
  /** Units that reached the report without a flag, and how many are right. */
  reported: number;
  right: number;
  /** Messages, and those where the kind is right as a whole. */
  messages: number;
  accurate: number;
}

export interface Interventions {
  /** Questions that were asked again. */
  count: number;
  rightBefore: number;
  rightAfter: number;
}

type Units = { readonly reported: readonly string[]; readonly given: readonly string[] };

function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function callText(call: Json): string {
  if (!isJsonObject(call)) return JSON.stringify(call);
  const { tool, args, result } = call;
  const file = isJsonObject(result ?? null) ? (result as JsonObject).text : result;
  return JSON.stringify([tool ?? null, sortedArgs(args), file ?? null]);
}

/** Addition and multiplication do not care for the order of their numbers. */
function sortedArgs(args: Json | undefined): Json {
  if (!isJsonObject(args)) return null;
  const { op, a, b, path } = args;
  if (path !== undefined) return path;
  const numbers = [Number(a), Number(b)];
  if (op === 'add' || op === 'mul') numbers.sort((x, y) => x - y);
  return [op ?? null, ...numbers];
}

function answerText(output: Json): string {
  if (typeof output === 'string') return output.trim();
  return isJsonObject(output) && typeof output.answer === 'string' ? output.answer : '';
}

function isAccepted(step: StepResult | undefined): boolean {
  return step !== undefined && step.verdict === 'accepted';
}

/** What one message says about each kind: in the report, and given at all. */
function unitsOf(result: DocumentResult): Record<Kind, Units> {
  const { triage, extract, answer, plan, critic } = result.steps;
  const routed = triage?.output ?? null;
  const route = isJsonObject(routed) ? routed.route : null;
  const routes = typeof route === 'string' ? [route] : [];
  const field = (name: string): Units => {
    const values = unique(
      listOf(extract?.output).flatMap((part) =>
        isJsonObject(part) ? listOf(part[name]).map((value) => String(value)) : [],
      ),
    );
    return { reported: values, given: values };
  };
  const answers = listOf(answer?.output).map(answerText);
  const isProved = isAccepted(answer) && (critic === undefined || isAccepted(critic));
  const calls = listOf(plan?.output).map(callText);
  return {
    route: { reported: isAccepted(triage) ? routes : [], given: routes },
    names: field('names'),
    places: field('places'),
    dates: field('dates'),
    amounts: field('amounts'),
    answer: { reported: isProved ? answers : [], given: answers },
    call: { reported: isAccepted(plan) ? calls : [], given: calls },
  };
}

/** Labelled units of each kind; of several right answers one is a unit. */
function expectedOf(label: MessageLabel): Record<Kind, string[]> {
  return {
    route: [label.route],
    names: label.names,
    places: label.places,
    dates: label.dates,
    amounts: label.amounts,
    answer: label.answers.slice(0, 1),
    call: label.calls.map((call) => callText(call)),
  };
}

function isRight(kind: Kind, value: string, label: MessageLabel): boolean {
  const allowed = kind === 'answer' ? label.answers : expectedOf(label)[kind];
  return allowed.includes(value);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const first = unique(a).toSorted();
  const second = unique(b).toSorted();
  return first.length === second.length && first.every((value, index) => value === second[index]);
}

/** Right as a whole; a question without an answer is right when none is given. */
function isAccurate(kind: Kind, given: readonly string[], label: MessageLabel): boolean {
  if (kind !== 'answer') return sameSet(given, expectedOf(label)[kind]);
  const [answer = ''] = given;
  if (label.answers.length > 0) return label.answers.includes(answer);
  return answer === '' || /^i don.t know/i.test(answer);
}

export function score(
  messages: readonly LabelledMessage[],
  documents: ReadonlyMap<string, DocumentResult>,
): Record<Kind, KindScore> {
  const scores = Object.fromEntries(
    kinds.map((kind) => [kind, { units: 0, reported: 0, right: 0, messages: 0, accurate: 0 }]),
  ) as Record<Kind, KindScore>;
  for (const { label } of messages) {
    const result = documents.get(label.document);
    const units = unitsOf(result ?? { steps: {}, elements: [] });
    for (const kind of kinds) {
      const { reported, given } = units[kind];
      const own = scores[kind];
      own.units += expectedOf(label)[kind].length;
      own.reported += reported.length;
      own.right += reported.filter((value) => isRight(kind, value, label)).length;
      own.messages += 1;
      own.accurate += isAccurate(kind, given, label) ? 1 : 0;
    }
  }
  return scores;
}

/** What a guess without a model would get right: the commonest team, and nothing else. */
export function baseline(messages: readonly LabelledMessage[]): Record<Kind, number> {
  const counts = Map.groupBy(messages, ({ label }) => label.route);
  const commonest = Math.max(...[...counts.values()].map((group) => group.length));
  return Object.fromEntries(
    kinds.map((kind) => [
      kind,
      kind === 'route'
        ? commonest
        : messages.filter(({ label }) => isAccurate(kind, [], label)).length,
    ]),
  ) as Record<Kind, number>;
}

const agentSteps = ['triage', 'extract', 'answer', 'plan'] as const;

/** Whether one answer of the model, judged as in the run, is right. */
function elementIsRight(
  element: Element,
  attempt: JsonObject | undefined,
  context: {
    readonly message: LabelledMessage;
    readonly definition: PipelineDefinition;
    readonly result: DocumentResult;
  },
): boolean {
  const { definition, message, result } = context;
  const { label, text } = message;
  const step = definition.steps.find((each) => each.id === element.step);
  const agent = definition.agents[step?.agent ?? ''];
  if (agent === undefined || attempt === undefined) return false;
  const triage = result.steps.triage?.output ?? null;
  const list = isJsonObject(triage) ? listOf(triage[listOfStep[element.step] ?? '']) : [];
  const each = list[element.index] ?? null;
  const { output } = judge(agent, attempt as never, { document: text, steps: result.steps, each });
  switch (element.step) {
    case 'triage':
      return isJsonObject(output) && output.route === label.route;
    case 'answer':
      return label.answers.includes(answerText(output));
    case 'plan': {
      const wanted = label.calls[element.index];
      return wanted !== undefined && sameCall(output, wanted as unknown as JsonObject);
    }
    default:
      return (
        typeof each === 'string' &&
        fieldKinds.every((field) =>
          sameSet(
            isJsonObject(output) ? listOf(output[field]).map(String) : [],
            label[field].filter((value) => each.includes(value)),
          ),
        )
      );
  }
}

/** Where each step finds the list that it works through, in the output of triage. */
const listOfStep: Readonly<Record<string, string>> = {
  extract: 'sentences',
  answer: 'questions',
  plan: 'requests',
};

function sameCall(output: Json, wanted: JsonObject): boolean {
  if (!isJsonObject(output)) return false;
  return (
    output.tool === wanted.tool &&
    JSON.stringify(sortedArgs(output.args)) === JSON.stringify(sortedArgs(wanted.args))
  );
}

/** Questions that the supervisor had asked again, by step. */
export function interventions(
  messages: readonly LabelledMessage[],
  documents: ReadonlyMap<string, DocumentResult>,
  definition: PipelineDefinition,
): Record<string, Interventions> {
  const found: Record<string, Interventions> = {};
  for (const message of messages) {
    const result = documents.get(message.label.document);
    if (result === undefined || messageParts(message.text).body === '') continue;
    for (const element of result.elements) {
      if (!agentSteps.some((step) => step === element.step) || element.attempts.length < 2)
        continue;
      const context = { message, definition, result };
      const own = found[element.step] ?? { count: 0, rightBefore: 0, rightAfter: 0 };
      found[element.step] = own;
      own.count += 1;
      own.rightBefore += elementIsRight(element, element.attempts[0], context) ? 1 : 0;
      own.rightAfter += elementIsRight(element, element.attempts.at(-1), context) ? 1 : 0;
    }
  }
  return found;
}
