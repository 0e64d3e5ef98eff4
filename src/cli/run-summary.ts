/** The ends of runs and replays in words. */
import { exitStatus, isErrorCode, RuntimeError } from '../kernel/errors.ts';
import { isJsonObject } from '../kernel/json.ts';
import type { RunView } from '../runtime/views.ts';
import { stateLines } from './replay-view.ts';
import { reportPath } from './report-file.ts';
import { runAnswers } from './run-answers.ts';
import type { ReplayReport } from './services.ts';

/**
 * Some lines about a run that has ended.
 * @param copy where its report was copied to, when it was
 */
export function runSummary(run: RunView, copy: string | null = null): string {
  const { usage } = run;
  const seconds = run.endedAt === null ? null : (run.endedAt - run.createdAt) / 1_000;
  const report = copy ?? reportPath(run);
  return [
    ...(report === null ? runAnswers(run) : [`report       ${report}`]),
    `run          ${run.id} (${run.status})`,
    `state hash   ${run.stateHash}`,
    ...(run.resultHash === null ? [] : [`result hash  ${run.resultHash}`]),
    `tokens       ${usage.promptTokens} read, ${usage.answerTokens} written in ${usage.generations} generations`,
    `supervisor   ${usage.interventions} interventions; ${forPeople(run)}`,
    `tool calls   ${usage.toolCalls}`,
    ...(seconds === null ? [] : [`time         ${seconds.toFixed(1)} s, ${run.events} events`]),
  ].join('\n');
}

/** A document may be done for the most part and still have one answer that a person should see. */
function forPeople({ outputs, progress }: RunView): string {
  const documents = isJsonObject(outputs?.documents) ? outputs.documents : {};
  const count = progress.handedToHuman;
  // A run that was ended early has no outputs.
  const total = typeof documents.total === 'number' ? documents.total : null;
  const which = total === null ? String(count) : `${count} of ${total}`;
  const have = (total ?? count) === 1 ? 'document has' : 'documents have';
  return `${which} ${have} something for a person`;
}

/** Null for a run that succeeded; else with the code of the error that ended it, where it has one. */
export function runFailure(run: RunView): RuntimeError | null {
  if (run.status === 'succeeded') return null;
  const why = run.error === null ? '' : `: ${run.error.message.replace(/\.$/, '')}`;
  const code = run.error?.code;
  return new RuntimeError(
    isErrorCode(code) ? code : 'RUN_FAILED',
    `The run ended as ${run.status}${why}; claw events ${run.id} shows why.`,
  );
}

/** The verdict of a replay for people; the first divergence with both states. */
export function replayVerdict(report: ReplayReport): string {
  const { divergence } = report;
  if (report.equal || divergence === null) {
    return `Replay: equal. ${report.events} events folded again without model, tool, clock or network; the state hash is the same at every event.`;
  }
  return [
    `Replay: diverged at event ${divergence.sequence}, actor ${divergence.actor}.`,
    `expected ${divergence.expected}`,
    `actual   ${divergence.actual}`,
    divergence.difference,
    ...stateLines(divergence.state),
  ].join('\n');
}

export function replayStatus(report: ReplayReport): number {
  return report.equal ? exitStatus.ok : exitStatus.diverged;
}
