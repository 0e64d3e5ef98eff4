/** The bundled example: run, reported, and proved by its own replay. */
import { join } from 'node:path';
import type { CommandContext } from './command.ts';
import { ProgressView } from './progress-view.ts';
import { withReadOnly } from './read-only.ts';
import { reportPath } from './report-file.ts';
import { replayVerdict, runFailure, runSummary } from './run-summary.ts';
import { localTarget } from './run-target.ts';
import type { RunningRuntime } from './services.ts';

export interface ExampleResult {
  readonly run: string;
  readonly status: string;
  readonly report: string | null;
  readonly stateHash: string;
  readonly resultHash: string | null;
  readonly replayEqual: boolean;
}

/** @param folder holds `pipeline.yaml` and `messages/` */
export async function runExample(
  context: CommandContext,
  runtime: RunningRuntime,
  folder: string,
): Promise<ExampleResult> {
  const { output } = context;
  output.notice('The data directory is new: running the bundled example.');
  const target = localTarget(runtime);
  const { id } = await target.startRun({
    pipeline: join(folder, 'pipeline.yaml'),
    input: { folder: join(folder, 'messages') },
    seed: 1,
  });
  const progress = new ProgressView(output.stderr);
  const run = await target.follow(id, (event) => progress.onEvent(event));
  progress.finish();
  output.print(runSummary(run));
  const failure = runFailure(run);
  if (failure !== null) output.notice(`claw: ${failure.message} (${failure.code})`);
  const replay = await withReadOnly(context, (journal) => journal.replay(id));
  output.print(replayVerdict(replay));
  return {
    run: id,
    status: run.status,
    report: reportPath(run),
    stateHash: run.stateHash,
    resultHash: run.resultHash,
    replayEqual: replay.equal,
  };
}
