/**
 * What a run without a report has found: the outputs of its steps over all
 * documents, and otherwise the place where its results are. A run is never
 * silent about its answers.
 */
import { isJsonObject, type JsonObject } from '../kernel/json.ts';
import type { RunView } from '../runtime/views.ts';

const answerCharactersMax = 2_000;

/** Lines for the summary; none for a run that ended before its steps. */
export function runAnswers({ id, status, outputs }: RunView): string[] {
  const steps = isJsonObject(outputs?.steps) ? answersOf(outputs.steps) : [];
  if (steps.length > 0) return [cut(steps.join('\n'))];
  if (status !== 'succeeded') return [];
  const workspace = typeof outputs?.workspace === 'string' ? outputs.workspace : null;
  return [
    `results      claw events ${id} --json shows what came of each document`,
    ...(workspace === null ? [] : [`files        ${workspace}`]),
  ];
}

/** A step that only writes has no output. */
function answersOf(steps: JsonObject): string[] {
  return Object.entries(steps).flatMap(([step, output]) =>
    output === null ? [] : [`output       ${step}: ${JSON.stringify(output)}`],
  );
}

function cut(text: string): string {
  if (text.length <= answerCharactersMax) return text;
  return `${text.slice(0, answerCharactersMax)} … (cut; claw runs --json has it whole)`;
}
