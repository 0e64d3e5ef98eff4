/** `claw effects RUN`: what a run wanted done outside, and what came of it. */
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import type { EffectView } from '../../runtime/views.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { withReadOnly } from '../read-only.ts';

interface EffectsOptions {
  readonly all?: boolean;
}

export function effectsCommand(host: Host): Command {
  const command = newCommand('effects', 'list what a run did outside, and what came of it')
    .argument('<run>', 'id of the run')
    .option('--all', 'also what leaves no trace: model calls, readings, timers, scripts');
  return onAction<EffectsOptions>(command, host, (context, { words: [run = ''], options }) =>
    withReadOnly(context, async (journal) => {
      const { id } = journal.run(run);
      const every = journal.effects(run);
      const effects = options.all === true ? every : every.filter(leavesTrace);
      context.output.answer({ run: id, effects, counts: countsOf(effects) });
      context.output.print(
        effects.length === 0
          ? 'No such effect; --all shows also those that leave no trace.'
          : text(effects),
      );
      return exitStatus.ok;
    }),
  );
}

function leavesTrace({ effect }: EffectView): boolean {
  return effect !== 'pure';
}

function countsOf(effects: readonly EffectView[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of effects) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

const header: readonly string[] = ['EVENT', 'EFFECT', 'CLASS', 'STATUS', 'ANSWERED', 'KEY'];

function text(effects: readonly EffectView[]): string {
  const rows = effects.map(({ key, operation, effect, status, code, requested, answered }) => [
    String(requested.sequence),
    operation,
    effect ?? 'not known',
    code === null ? status : `${status} (${code})`,
    answered === null ? '-' : String(answered.sequence),
    key,
  ]);
  const counts = Object.entries(countsOf(effects)).map(([status, count]) => `${count} ${status}`);
  return [...alignedRows([header, ...rows]), counts.join(', ')].join('\n');
}
