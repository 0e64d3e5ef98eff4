/** A run that has just begun, followed to its end and reported. */
import { exitStatus } from '../kernel/errors.ts';
import type { EventView, RunView } from '../runtime/views.ts';
import type { CommandContext } from './command.ts';
import { ProgressView } from './progress-view.ts';
import { copyReport, reportPath } from './report-file.ts';
import { runFailure, runSummary } from './run-summary.ts';
import type { RunTarget } from './run-target.ts';

/** The ended run, or null after an interrupt. */
export async function followToEnd(
  { io, output }: CommandContext,
  target: RunTarget,
  { id }: { readonly id: string },
): Promise<RunView | null> {
  output.notice(`run ${id}`);
  const progress = new ProgressView(output.stderr);
  let stop = (): void => undefined;
  const interrupted = new Promise<null>((settle) => {
    stop = io.onSignal(() => settle(null));
  });
  try {
    const run = await Promise.race([
      target.follow(id, (event) => {
        progress.onEvent(event);
        const doubt = doubtOf(event);
        if (doubt !== null) output.notice(doubt);
      }),
      interrupted,
    ]);
    progress.finish();
    if (run === null) output.notice(target.afterInterrupt(id));
    return run;
  } finally {
    stop();
  }
}

/** Prints the ended run, copies its report, and throws what it failed with. */
export function reportRun({ output }: CommandContext, run: RunView, out: string | null): number {
  const from = reportPath(run);
  const copy = from !== null && run.status === 'succeeded' ? out : null;
  if (from !== null && copy !== null) copyReport(from, copy);
  output.print(runSummary(run, copy));
  if (out !== null && from === null)
    output.notice('The run has no report, so --out is not written.');
  output.answer(out === null ? run : { ...run, out: copy });
  const failure = runFailure(run);
  if (failure === null) return exitStatus.ok;
  throw failure;
}

/** What a run waits for that nobody but a human can say; null for any other event. */
function doubtOf({ cause, event }: EventView): string | null {
  if (event.type !== 'outcome-unknown') return null;
  if (String(event.tag).startsWith('pause:')) {
    return `The run waits for a person: claw runs show tells why, claw release ${cause} goes on`;
  }
  return `The run waits: nobody can say what came of an effect. Look, then: claw resolve ${cause} --outcome done|failed`;
}
