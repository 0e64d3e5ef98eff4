/** `claw cancel RUN`: asks the live server, or a runtime of this process, to cancel an open run. */
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { findServer } from '../connect.ts';
import { withReadOnly } from '../read-only.ts';
import { openRunTarget } from '../run-target.ts';

export function cancelCommand(host: Host): Command {
  const command = newCommand('cancel', 'cancel an open run').argument('<run>', 'id of the run');
  return onAction(command, host, async (context, { words: [id = ''] }) => {
    // A runtime is not worth starting, nor a data directory worth making, for a run that is not there.
    if ((await findServer(context)) === null) {
      await withReadOnly(context, async (journal) => journal.run(id));
    }
    const target = await openRunTarget(context);
    try {
      const run = await target.cancel(id);
      context.output.answer(run);
      context.output.print(`The run ${run.id} is ${run.status}.`);
      return exitStatus.ok;
    } finally {
      await target.close();
    }
  });
}
