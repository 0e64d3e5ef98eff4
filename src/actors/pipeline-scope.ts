/**
 * What a pipeline knows and decides, as pure functions. A run is two scopes of
 * one machine: the pipeline of the run does the steps over all documents, and
 * one pipeline for each document does the mapped ones.
 *
 * Invariants
 *   P1. A step starts once, when everything that it needs has a result; a step
 *       over all documents that needs a mapped step waits for every document.
 *   P2. A step whose needed step was given up is skipped, unless `when: always`.
 *   P3. Results are folded by document index, never by order of arrival, so
 *       that two runs with the same answers have the same result hash.
 */
import { AssertionError, assert } from '../kernel/assert.ts';
import { hashJson, sha256 } from '../kernel/hash.ts';
import type { ActorId } from '../kernel/ids.ts';
import { childActorId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { definitionOf, stepOf } from './definition.ts';
import type { DocumentDoneEvent, DocumentReference, StepVariables } from './event.ts';
import type { PipelineDefinition, StepDefinition } from './pipeline-definition.ts';
import { readySteps } from './step-graph.ts';
import type { StepResult } from './step-result.ts';

/** What the run keeps of a document that is done. */
export interface ItemSummary {
  /** The item's text, or its hash where the text is long enough to be a blob. */
  readonly item: { readonly text: string } | { readonly sha256: string; readonly bytes: number };
  readonly digest: string;
  readonly handedToHuman: boolean;
  readonly failure: DocumentDoneEvent['failure'];
}

export interface PipelineContext {
  readonly self: ActorId;
  readonly parent: ActorId | null;
  readonly scope: 'run' | 'document';
  readonly definition: string;
  readonly seed: number;
  /** Run: all documents. Document: the one. */
  readonly documents: readonly DocumentReference[];
  /** Document: its place among the run's documents. */
  readonly index: number;
  /** Document: its text, once read. */
  readonly text: string | null;
  /** JSON of the result of each step that is done, shared ones included. */
  readonly results: Readonly<Record<string, string>>;
  readonly running: readonly string[];
  /** Steps that the last event started. */
  readonly started: readonly string[];
  /** Run: the documents that are done, by index. */
  readonly items: Readonly<Record<string, ItemSummary>>;
  /** Run: why it is being ended before its steps are done; null for a cancel. */
  readonly failure: { readonly code: string; readonly message: string } | null;
  /** Run: documents whose pipelines stopped after a cancel. */
  readonly stopped: readonly number[];
  /** Run: texts of items by hash, while they are being collected. */
  readonly itemTexts: Readonly<Record<string, string>>;
  /** Run: the text of each item, collected when the last document was done. */
  readonly collected: readonly string[] | null;
}

export function supervisorOf(context: PipelineContext): ActorId {
  return childActorId(context.self, 'supervisor');
}

export function documentActor(context: PipelineContext, index: number): ActorId {
  return childActorId(context.self, `document-${index + 1}`);
}

/** The steps that this pipeline itself does. */
function ownSteps(context: PipelineContext): readonly StepDefinition[] {
  return definitionOf(context.definition).steps.filter(
    (step) => (step.map === undefined) === (context.scope === 'run'),
  );
}

export function hasMappedSteps(context: PipelineContext): boolean {
  return definitionOf(context.definition).steps.some((step) => step.map !== undefined);
}

function resultOfStep(context: PipelineContext, step: string): StepResult {
  const text = context.results[step];
  assert(text !== undefined, `the step ${step} is done`);
  return JSON.parse(text) as StepResult;
}

/** Documents whose pipelines are still at work. */
export function openDocuments(context: PipelineContext): readonly number[] {
  if (context.scope !== 'run' || !hasMappedSteps(context)) return [];
  return context.documents.flatMap((_, index) =>
    Object.hasOwn(context.items, index) || context.stopped.includes(index) ? [] : [index],
  );
}

export function needsCollecting(context: PipelineContext): boolean {
  return (
    context.scope === 'run' &&
    hasMappedSteps(context) &&
    context.collected === null &&
    ownSteps(context).length > 0 &&
    openDocuments(context).length === 0
  );
}

/** Step ids whose need is fulfilled, with or without a result of this scope. */
function fulfilled(context: PipelineContext): Readonly<Record<string, unknown>> {
  const mapped = definitionOf(context.definition).steps.filter((step) => step.map !== undefined);
  const documentsDone = context.scope === 'run' && context.collected !== null;
  return {
    ...context.results,
    ...(documentsDone ? Object.fromEntries(mapped.map((step) => [step.id, true])) : {}),
  };
}

const skipped: StepResult = {
  verdict: 'skipped',
  output: null,
  reasons: ['A step that it needs was given up.'],
  confidence: null,
  attempts: 0,
};

function mustSkip(context: PipelineContext, step: StepDefinition): boolean {
  if (step.when === 'always') return false;
  return step.needs.some((need) => {
    if (!Object.hasOwn(context.results, need)) return false;
    const { verdict } = resultOfStep(context, need);
    return verdict === 'escalated' || verdict === 'skipped';
  });
}

/** Marks what may start now as running (P1), skipping what cannot (P2). */
export function advance(
  context: PipelineContext,
): Pick<PipelineContext, 'results' | 'running' | 'started'> {
  let results = context.results;
  for (let round = 0; round <= limits.pipelineStepsMax; round += 1) {
    const now: PipelineContext = { ...context, results };
    const ready = readySteps(ownSteps(now), fulfilled(now)).filter(
      (step) => !context.running.includes(step.id),
    );
    const toSkip = ready.filter((step) => mustSkip(now, step));
    if (toSkip.length === 0) {
      const started = ready.map((step) => step.id);
      return { results, running: [...context.running, ...started], started };
    }
    const more = toSkip.map((step) => [step.id, JSON.stringify(skipped)] as const);
    results = { ...results, ...Object.fromEntries(more) };
  }
  throw new AssertionError('every round skips a step');
}

export function isComplete(context: PipelineContext): boolean {
  return (
    ownSteps(context).every((step) => Object.hasOwn(context.results, step.id)) &&
    openDocuments(context).length === 0
  );
}

function stepsText(context: PipelineContext): string {
  const entries = Object.entries(context.results).map(
    ([id, text]) => `${JSON.stringify(id)}:${text}`,
  );
  return `{${entries.join(',')}}`;
}

function documentOf(context: PipelineContext): DocumentReference {
  const [document] = context.documents;
  assert(context.scope === 'document' && document !== undefined, 'the pipeline of a document');
  return document;
}

export function variablesFor(context: PipelineContext): StepVariables {
  const { name } = definitionOf(context.definition);
  const run = { name, seed: context.seed };
  if (context.scope === 'run') {
    return { document: null, steps: stepsText(context), items: context.collected ?? [], run };
  }
  const document = documentOf(context);
  assert(context.text !== null, 'the document was read');
  const { name: file, part, label } = document;
  return {
    document: {
      name: file,
      text: context.text,
      part: part?.index ?? 0,
      ...(label === undefined ? {} : { label }),
    },
    steps: stepsText(context),
    items: null,
    run,
  };
}

/** The part of a result that two runs with the same answers share (P3). */
function comparable(result: StepResult): Json {
  // Not the reasons: they quote probabilities.
  return { verdict: result.verdict, output: result.output };
}

function comparableSteps(context: PipelineContext): { [step: string]: Json } {
  return Object.fromEntries(
    ownSteps(context).map((step) => [step.id, comparable(resultOfStep(context, step.id))]),
  );
}

/** How a document ended, as its pipeline reports it. */
export function itemOf(context: PipelineContext): Omit<DocumentDoneEvent, 'type' | 'index'> {
  const { name, part, range } = documentOf(context);
  const own = ownSteps(context).map((step) => [step.id, resultOfStep(context, step.id)] as const);
  return {
    item: JSON.stringify({
      document: { name, part: part?.index ?? 0, ...(range === undefined ? {} : { range }) },
      steps: Object.fromEntries(own),
    }),
    digest: hashJson(comparableSteps(context)),
    handedToHuman: own.some(([, result]) => result.verdict !== 'accepted'),
    notRun: own.flatMap(([id, { verdict }]) =>
      context.text === null || verdict === 'skipped' ? [id] : [],
    ),
    failure: failureOf(own.map(([, result]) => result)),
  };
}

/** The technical failure that kept a document from every result, or null. */
function failureOf(results: readonly StepResult[]): DocumentDoneEvent['failure'] {
  const hasResult = results.some(({ verdict }) => verdict === 'accepted' || verdict === 'flagged');
  return hasResult ? null : (results.find(({ error }) => error !== undefined)?.error ?? null);
}

export function summaryOf(
  event: Omit<DocumentDoneEvent, 'type' | 'index' | 'notRun'>,
): ItemSummary {
  const { item, digest, handedToHuman, failure } = event;
  const isBlob = item.length >= limits.inlineTextCharactersMax;
  return {
    item: isBlob ? { sha256: sha256(item), bytes: Buffer.byteLength(item) } : { text: item },
    digest,
    handedToHuman,
    failure,
  };
}

/** Hashes of the items whose texts have to be read again, as many as one intention asks for. */
export function nextItemBlobs(context: PipelineContext): readonly string[] {
  const hashes = new Set<string>();
  let bytes = 0;
  for (const { item } of Object.values(context.items)) {
    if (!('sha256' in item) || Object.hasOwn(context.itemTexts, item.sha256)) continue;
    bytes += item.bytes;
    const isFull = hashes.size >= limits.itemsPerReadMax || bytes > limits.itemBytesPerReadMax;
    if (isFull && hashes.size > 0) break;
    hashes.add(item.sha256);
  }
  return [...hashes];
}

export function collectItems(context: PipelineContext): readonly string[] {
  const texts = context.itemTexts;
  return context.documents.map((_, index) => {
    const summary = context.items[index];
    assert(summary !== undefined, `document ${index} is done`);
    const text = 'text' in summary.item ? summary.item.text : texts[summary.item.sha256];
    assert(text !== undefined, `the text of item ${index} was read`);
    return text;
  });
}

/** Steps of every scope, by id, given up because the document could not be read. */
export function unreadable(
  context: PipelineContext,
  error: { readonly code: string; readonly message: string },
): Readonly<Record<string, string>> {
  const result: StepResult = {
    verdict: 'escalated',
    output: null,
    reasons: [`The document could not be read: ${error.message}`],
    confidence: null,
    attempts: 0,
    error,
  };
  return Object.fromEntries(ownSteps(context).map((step) => [step.id, JSON.stringify(result)]));
}

export interface RunResult {
  readonly status: 'succeeded' | 'failed';
  readonly outputs: { [name: string]: Json };
  readonly resultHash: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Why the run failed: a step over all documents was given up, or nothing came of any document. */
function runFailure(context: PipelineContext): RunResult['error'] {
  const givenUp = ownSteps(context).find(
    (step) => resultOfStep(context, step.id).verdict === 'escalated',
  );
  if (givenUp !== undefined) {
    const { error, reasons } = resultOfStep(context, givenUp.id);
    const message = `The step ${givenUp.id} was given up: ${reasons.join(' ')}`;
    return { code: error?.code ?? 'RUN_FAILED', message };
  }
  const failures = context.documents.map((_, index) => context.items[index]?.failure ?? null);
  const [first = null] = failures;
  if (first === null || failures.includes(null)) return null;
  return { code: first.code, message: `Nothing came of any document: ${first.message}` };
}

export function runResult(context: PipelineContext): RunResult {
  const definition: PipelineDefinition = definitionOf(context.definition);
  const error = runFailure(context);
  const documents = context.documents.map(({ name, part }, index) => ({
    name,
    part: part?.index ?? 0,
    digest: context.items[index]?.digest ?? '',
  }));
  const steps = comparableSteps(context);
  return {
    status: error === null ? 'succeeded' : 'failed',
    outputs: {
      steps: Object.fromEntries(
        ownSteps(context).map((step) => [step.id, resultOfStep(context, step.id).output]),
      ),
      documents: {
        total: context.documents.length,
        handedToHuman: Object.values(context.items).filter((item) => item.handedToHuman).length,
      },
      report: definition.report ?? null,
    },
    resultHash: hashJson({ steps, documents }),
    error,
  };
}

export function stepIsShared(context: PipelineContext, step: string): boolean {
  const definition = definitionOf(context.definition);
  const { map } = stepOf(definition, step);
  return (
    map === undefined &&
    definition.steps.some((other) => other.map !== undefined && other.needs.includes(step))
  );
}
