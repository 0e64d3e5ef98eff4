/**
 * `claw replay RUN`: folds the run's journal again, in a closed world, and
 * compares the state hash at every event. Exit status 0 or 3.
 */
import type { Command } from 'commander';
import { type Host, newCommand, onAction } from '../command.ts';
import { withReadOnly } from '../read-only.ts';
import { replayStatus, replayVerdict } from '../run-summary.ts';

export function replayCommand(host: Host): Command {
  const command = newCommand('replay', 'fold a run again and compare every state').argument(
    '<run>',
    'id of the run',
  );
  return onAction(command, host, (context, { words: [run = ''] }) =>
    withReadOnly(context, async (journal) => {
      const report = await journal.replay(run);
      const { events, equal, stateHash, divergence } = report;
      context.output.answer({ run: report.run, events, equal, stateHash, divergence });
      context.output.print(`${replayVerdict(report)}\nstate hash   ${stateHash}`);
      return replayStatus(report);
    }),
  );
}
