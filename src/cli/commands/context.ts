/**
 * `claw context RUN [HASH]`: what agents with turns asked on, and one of these
 * conversations whole. With `--at`: the window of one generation.
 */
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import type { ContextView, TranscriptView } from '../../runtime/views.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type Host, integer, newCommand, onAction } from '../command.ts';
import { withReadOnly } from '../read-only.ts';
import { windowText } from '../window-text.ts';

interface WindowOptions {
  readonly at?: number;
  readonly actor?: string;
}

/** Of a hash; mostly enough to name a context of one run. */
const hashCharactersShown = 12;

export function contextCommand(host: Host): Command {
  const command = newCommand(
    'context',
    'list what the agents with turns of a run asked on, or show one conversation',
  )
    .argument('<run>', 'id of the run')
    .argument('[hash]', 'of the context to show, or enough of its beginning')
    .option(
      '--at <seq>',
      'what the model was asked on in the last generation at or before this event, and what had left it',
      integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    )
    .option('--actor <id>', 'of this agent alone');
  return onAction<WindowOptions>(command, host, (context, { words: [run = '', hash], options }) =>
    withReadOnly(context, async (journal) => {
      const { id } = journal.run(run);
      if (options.at !== undefined || options.actor !== undefined) {
        const window = journal.window(run, options);
        context.output.answer({ run: id, ...window });
        context.output.print(windowText(window));
      } else if (hash === undefined) {
        const contexts = journal.contexts(run);
        context.output.answer({ run: id, contexts });
        context.output.print(
          contexts.length === 0 ? 'No agent of this run has turns.' : list(contexts),
        );
      } else {
        const transcript = journal.transcript(run, hash);
        context.output.answer({ run: id, ...transcript });
        context.output.print(text(transcript));
      }
      return exitStatus.ok;
    }),
  );
}

const header: readonly string[] = ['EVENT', 'CONTEXT', 'PARENT', 'ITEMS', 'ACTOR'];

function list(contexts: readonly ContextView[]): string {
  const rows = contexts.map(({ sequence, hash, parent, items, actor }) => [
    String(sequence),
    hash.slice(0, hashCharactersShown),
    parent?.slice(0, hashCharactersShown) ?? '-',
    String(items),
    actor,
  ]);
  return alignedRows([header, ...rows]).join('\n');
}

function text({ hash, actor, sequence, messages }: TranscriptView): string {
  const turns = messages.map(({ role, content }) => `--- ${role}\n${content}`);
  return [`Context ${hash}, asked on by ${actor} at event ${sequence}`, ...turns].join('\n');
}
