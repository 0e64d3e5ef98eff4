/**
 * `claw fork`: a run that begins with the first events of another one and goes
 * on by itself, with something changed or not.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import { collected, type Host, integer, newCommand, onAction } from '../command.ts';
import { followToEnd, reportRun } from '../follow-run.ts';
import { forkSetting, setHelp } from '../fork-settings.ts';
import { assertWritable } from '../report-file.ts';
import { openRunTarget } from '../run-target.ts';

interface ForkOptions {
  readonly at: number;
  readonly set?: readonly string[];
  readonly allowEffects?: boolean;
  readonly out?: string;
}

export function forkCommand(host: Host): Command {
  const command = newCommand('fork', 'go on from an event of a run, as a new run')
    .argument('<run>', 'id of the run')
    .requiredOption(
      '--at <event>',
      'its last event that is shared',
      integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    )
    .option('--set <name=value>', 'what is another from there on; may be repeated', collected)
    .option('--allow-effects', 'perform effects that reach outside the files of the run')
    .option('--out <file>', 'where the report is copied')
    .addHelpText('after', setHelp);
  return onAction<ForkOptions>(command, host, async (context, { words: [id = ''], options }) => {
    const { cwd } = context.io;
    const out = options.out === undefined ? null : resolve(cwd, options.out);
    if (out !== null) assertWritable(out);
    const set = Object.fromEntries((options.set ?? []).map((word) => forkSetting(word, cwd)));
    const { at, allowEffects = false } = options;
    const target = await openRunTarget(context);
    try {
      const started = await target.fork(id, { at, set, allowEffects });
      const run = await followToEnd(context, target, started);
      if (run !== null) return reportRun(context, run, out);
      context.output.answer(started);
      return exitStatus.interrupted;
    } finally {
      await target.close();
    }
  });
}
