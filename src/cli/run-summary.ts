/** The ends of runs and replays in words. */
import { exitStatus, RuntimeError } from '../kernel/errors.ts';
import type { RunView } from '../runtime/views.ts';
import { reportPath } from './report-file.ts';
import type { ReplayReport } from './services.ts';

/** Some lines about a run that has ended. */
export function runSummary(run: RunView): string {
  const { usage } = run;
  const seconds = run.endedAt === null ? null : (run.endedAt - run.createdAt) / 1_000;
  const report = reportPath(run);
  return [
    ...(report === null ? [] : [`report       ${report}`]),
    `run          ${run.id} (${run.status})`,
    `state hash   ${run.stateHash}`,
    ...(run.resultHash === null ? [] : [`result hash  ${run.resultHash}`]),
    `tokens       ${usage.promptTokens} read, ${usage.answerTokens} written in ${usage.generations} generations`,
    `supervisor   ${usage.interventions} interventions, ${run.progress.handedToHuman} handed to a human`,
    `tool calls   ${usage.toolCalls}`,
    ...(seconds === null ? [] : [`time         ${seconds.toFixed(1)} s, ${run.events} events`]),
  ].join('\n');
}

/** Null for a run that succeeded. */
export function runFailure(run: RunView): RuntimeError | null {
  if (run.status === 'succeeded') return null;
  const why =
    run.error === null ? '' : `: ${run.error.message.replace(/\.$/, '')} (${run.error.code})`;
  return new RuntimeError(
    'RUN_FAILED',
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
  ].join('\n');
}

export function replayStatus(report: ReplayReport): number {
  return report.equal ? exitStatus.ok : exitStatus.diverged;
}
