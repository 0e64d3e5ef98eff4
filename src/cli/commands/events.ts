/** `claw events RUN`: what happened in a run, read beside a live server. */
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import type { EventView } from '../../runtime/views.ts';
import { type Host, integer, newCommand, onAction } from '../command.ts';
import { withReadOnly } from '../read-only.ts';

interface EventsOptions {
  readonly from: number;
  readonly limit: number;
}

const summaryCharactersMax = 100;

export function eventsCommand(host: Host): Command {
  const command = newCommand('events', 'show the events of a run')
    .argument('<run>', 'id of the run')
    .option('--from <n>', 'first sequence', integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), 1)
    .option('--limit <n>', 'events at most', integer({ min: 1, max: limits.eventsPageMax }), 100);
  return onAction<EventsOptions>(command, host, (context, { words: [run = ''], options }) =>
    withReadOnly(context, async (journal) => {
      const { from, limit } = options;
      const view = journal.run(run);
      const events = journal.events(run, { from, limit });
      const following = (events.at(-1)?.sequence ?? from - 1) + 1;
      const next = following <= view.events ? following : null;
      context.output.answer({ run: view.id, events, next });
      context.output.print(
        events.length === 0 ? `No events from ${from} on.` : events.map(line).join('\n'),
      );
      if (next !== null && !context.output.json) {
        context.output.notice(`${view.events} events in all; go on with --from ${next}.`);
      }
      return exitStatus.ok;
    }),
  );
}

function line({ sequence, time, actor, event, intentions, context }: EventView): string {
  const { type, ...rest } = event;
  const summary = JSON.stringify(rest).slice(0, summaryCharactersMax);
  const clock = new Date(time).toISOString().slice(11, 23);
  const wants = intentions.length === 0 ? '' : `  → ${intentions.map(intention).join(', ')}`;
  const on = context === undefined ? '' : ` on context ${context.slice(0, 12)}`;
  return `${String(sequence).padStart(6)}  ${clock}  ${actor}  ${String(type)} ${summary}${wants}${on}`;
}

function intention({ kind, target }: EventView['intentions'][number]): string {
  return `${kind} ${target}`;
}
