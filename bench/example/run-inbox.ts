/**
 * Runs a pipeline over labelled messages in a real runtime and reads from the
 * journaled events what each step made of each message, attempt by attempt.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PipelineDefinition } from '../../src/actors/pipeline-definition.ts';
import type { StepResult } from '../../src/actors/step-result.ts';
import { assert } from '../../src/kernel/assert.ts';
import { isJsonObject, type JsonObject } from '../../src/kernel/json.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { EventView, RunView, StartRunRequest } from '../../src/runtime/views.ts';
import type { LabelledMessage } from './labels.ts';

/** One question to the model: the generations that it took, in order. */
export interface Element {
  readonly step: string;
  /** Position in the list that the step works through. */
  readonly index: number;
  readonly attempts: readonly JsonObject[];
}

export interface DocumentResult {
  readonly steps: Readonly<Record<string, StepResult>>;
  readonly elements: readonly Element[];
}

export interface InboxRun {
  readonly view: RunView;
  readonly tookMs: number;
  /** By document name. */
  readonly documents: ReadonlyMap<string, DocumentResult>;
}

interface InboxRuntime {
  startRun(request: StartRunRequest): Promise<RunView>;
  ended(id: string): Promise<RunView>;
  events(id: string, range: { from: number; limit: number }): readonly EventView[];
}

function allEvents(runtime: InboxRuntime, id: string): EventView[] {
  const events: EventView[] = [];
  for (;;) {
    const page = runtime.events(id, { from: events.length + 1, limit: limits.eventsPageMax });
    events.push(...page);
    if (page.length === 0) return events;
  }
}

/** Generations of one agent, grouped by the question that they answer. */
function elementsOf(step: string, events: readonly EventView[]): Element[] {
  const elements: { step: string; index: number; attempts: JsonObject[] }[] = [];
  let retried = false;
  for (const { event } of events) {
    if (event.type === 'retry') retried = true;
    if (event.type !== 'outcome' || event.tag !== 'generate') continue;
    const { outcome } = event;
    const value = isJsonObject(outcome) && isJsonObject(outcome.value) ? outcome.value : {};
    if (!retried) elements.push({ step, index: elements.length, attempts: [] });
    elements.at(-1)?.attempts.push(value);
    retried = false;
  }
  return elements;
}

function readDocuments(
  events: readonly EventView[],
  messages: readonly LabelledMessage[],
): Map<string, DocumentResult> {
  const names = messages.map(({ label }) => label.document).toSorted();
  const results = new Map(
    names.map((name) => [
      name,
      { steps: {} as Record<string, StepResult>, elements: [] as Element[] },
    ]),
  );
  const byActor = Map.groupBy(events, (event) => event.actor);
  for (const [actor, own] of byActor) {
    const path = /^run\/document-(\d+)(?:\/supervisor\/([\w-]+))?$/.exec(actor);
    // Actors count documents from 1, in the order of their names.
    const result = results.get(names[Number(path?.[1]) - 1] ?? '');
    if (path === null || result === undefined) continue;
    const step = path[2];
    if (step !== undefined) result.elements.push(...elementsOf(step, own));
    for (const { event } of own) {
      if (event.type !== 'step-done' || typeof event.step !== 'string') continue;
      result.steps[event.step] = event.result as unknown as StepResult;
    }
  }
  return results;
}

export interface InboxInput {
  readonly definition: PipelineDefinition;
  readonly messages: readonly LabelledMessage[];
  /** Files of the workspace, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** @throws AssertionError when the run does not succeed */
export async function runInbox(runtime: InboxRuntime, input: InboxInput): Promise<InboxRun> {
  const { definition, messages, files } = input;
  const root = mkdtempSync(join(tmpdir(), 'openclaw-inbox-'));
  try {
    const folder = join(root, 'messages');
    const workspace = join(root, 'workspace');
    mkdirSync(folder);
    mkdirSync(workspace);
    for (const { text, label } of messages) writeFileSync(join(folder, label.document), text);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(workspace, name), text);
    // JSON is YAML, and a pipeline file brings the workspace beside it.
    const pipeline = join(root, 'pipeline.yaml');
    writeFileSync(pipeline, JSON.stringify(definition));
    const startedMs = performance.now();
    const { id } = await runtime.startRun({ pipeline, input: { folder }, seed: 1 });
    const view = await runtime.ended(id);
    const tookMs = performance.now() - startedMs;
    assert(view.status === 'succeeded', `the run ended ${view.status}: ${view.error?.message}`);
    return { view, tookMs, documents: readDocuments(allEvents(runtime, id), messages) };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
