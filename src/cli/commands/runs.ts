/** `claw runs`: every run of the data directory, read beside a live server. */
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import type { RunView } from '../../runtime/views.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { withReadOnly } from '../read-only.ts';

export function runsCommand(host: Host): Command {
  return onAction(newCommand('runs', 'list the runs'), host, (context) =>
    withReadOnly(context, async (journal) => {
      const runs = journal.runs();
      context.output.answer({ runs });
      const { dataDirectory } = context.config;
      context.output.print(
        runs.length === 0
          ? `No runs yet in ${dataDirectory}.`
          : alignedRows([header, ...runs.map(cells)]).join('\n'),
      );
      return exitStatus.ok;
    }),
  );
}

const header: readonly string[] = ['RUN', 'STATUS', 'STARTED', 'STEPS', 'PIPELINE'];

function cells({ id, status, createdAt, pipeline, progress }: RunView): string[] {
  const steps = `${progress.stepsDone}/${progress.stepsTotal}`;
  return [id, status, new Date(createdAt).toISOString(), steps, pipeline];
}
