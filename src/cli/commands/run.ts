/**
 * `claw run`: a pipeline over a folder, to its end. An interrupt leaves the
 * run open: a live server goes on with it, and otherwise the next `claw up`.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import type { RunView } from '../../runtime/views.ts';
import { type CommandContext, type Host, integer, newCommand, onAction } from '../command.ts';
import { ProgressView } from '../progress-view.ts';
import { assertWritable, copyReport, reportPath } from '../report-file.ts';
import { runFailure, runSummary } from '../run-summary.ts';
import { openRunTarget, type RunTarget } from '../run-target.ts';

interface RunOptions {
  readonly input: string;
  readonly out?: string;
  readonly seed?: number;
}

export function runCommand(host: Host): Command {
  const command = newCommand('run', 'run a pipeline over a folder of documents')
    .argument('<pipeline>', 'pipeline file (YAML)')
    .requiredOption('--input <dir>', 'folder of documents')
    .option('--out <file>', 'where the report is copied')
    .option('--journal <mode>', 'durable or relaxed, where no server runs')
    .option('--seed <n>', 'seed of every generation', integer({ min: 0, max: limits.runSeedMax }));
  return onAction<RunOptions>(
    command,
    host,
    async (context, { words: [pipeline = ''], options }) => {
      const { cwd } = context.io;
      const out = options.out === undefined ? null : resolve(cwd, options.out);
      if (out !== null) assertWritable(out);
      const target = await openRunTarget(context);
      try {
        const started = await target.startRun({
          pipeline: resolve(cwd, pipeline),
          input: { folder: resolve(cwd, options.input) },
          ...(options.seed === undefined ? {} : { seed: options.seed }),
        });
        const run = await followToEnd(context, target, started);
        if (run !== null) return report(context, run, out);
        context.output.answer(started);
        return exitStatus.interrupted;
      } finally {
        await target.close();
      }
    },
  );
}

/** The ended run, or null after an interrupt. */
async function followToEnd(
  { io, output }: CommandContext,
  target: RunTarget,
  { id }: RunView,
): Promise<RunView | null> {
  output.notice(`run ${id}`);
  const progress = new ProgressView(output.stderr);
  let stop = (): void => undefined;
  const interrupted = new Promise<null>((settle) => {
    stop = io.onSignal(() => settle(null));
  });
  try {
    const run = await Promise.race([
      target.follow(id, (event) => progress.onEvent(event)),
      interrupted,
    ]);
    progress.finish();
    if (run === null) output.notice(target.afterInterrupt(id));
    return run;
  } finally {
    stop();
  }
}

function report({ output }: CommandContext, run: RunView, out: string | null): number {
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
