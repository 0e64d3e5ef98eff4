/**
 * How far a run is, as a fold over its events: for each step of its pipeline,
 * how many documents are through and how many of them a human has to look at.
 * It knows no more than any other reader of the events could.
 */
import { z } from 'zod';
import type { EventView } from '../runtime/views.ts';

export interface StepProgress {
  readonly step: string;
  done: number;
  /** Documents for a step over each, otherwise one. */
  readonly total: number;
  /** Results that are not accepted as they are. */
  doubtful: number;
}

export interface RunProgress {
  /** In the order of the pipeline; empty until the run's first event. */
  steps: StepProgress[];
  /** Attempts that the supervisor sent back. */
  retries: number;
  events: number;
}

const startSchema = z.object({
  type: z.literal('start'),
  scope: z.literal('run'),
  definition: z.string(),
  documents: z.array(z.unknown()),
});

const definitionSchema = z.object({
  steps: z.array(z.object({ id: z.string(), map: z.string().optional() })),
});

const stepDoneSchema = z.object({
  type: z.literal('step-done'),
  step: z.string(),
  result: z.object({ verdict: z.string() }),
});

const documentDoneSchema = z.object({
  type: z.literal('document-done'),
  notRun: z.array(z.string()),
});

export function newRunProgress(): RunProgress {
  return { steps: [], retries: 0, events: 0 };
}

/** Takes the next event into account; events that say nothing about progress are counted only. */
export function foldRunProgress(progress: RunProgress, { event }: EventView): void {
  progress.events += 1;
  if (event.type === 'start') foldStart(progress, event);
  else if (event.type === 'step-done') foldStepDone(progress, event);
  else if (event.type === 'document-done') foldDocumentDone(progress, event);
  else if (event.type === 'retry') progress.retries += 1;
}

function foldStart(progress: RunProgress, event: unknown): void {
  const start = startSchema.safeParse(event);
  if (!start.success || progress.steps.length > 0) return;
  const definition = definitionSchema.safeParse(parseJson(start.data.definition));
  if (!definition.success) return;
  const documents = start.data.documents.length;
  progress.steps = definition.data.steps.map(({ id, map }) => ({
    step: id,
    done: 0,
    total: map === undefined ? 1 : documents,
    doubtful: 0,
  }));
}

function foldStepDone(progress: RunProgress, event: unknown): void {
  const parsed = stepDoneSchema.safeParse(event);
  if (!parsed.success) return;
  count(progress, parsed.data.step, parsed.data.result.verdict !== 'accepted');
}

/** Steps that were not run at all have no event of their own. */
function foldDocumentDone(progress: RunProgress, event: unknown): void {
  const parsed = documentDoneSchema.safeParse(event);
  for (const step of parsed.data?.notRun ?? []) count(progress, step, true);
}

function count(progress: RunProgress, id: string, doubtful: boolean): void {
  const step = progress.steps.find((candidate) => candidate.step === id);
  if (step === undefined) return;
  step.done += 1;
  if (doubtful) step.doubtful += 1;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
