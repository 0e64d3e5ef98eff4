/** `claw diff RUN_A RUN_B`: where two runs part. */
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import type { JsonChange } from '../../kernel/json-diff.ts';
import type { Parting, RunDiff } from '../../runtime/run-diff.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { withReadOnly } from '../read-only.ts';
import { changeLines } from '../replay-view.ts';

const partingsMax = 40;

export function diffCommand(host: Host): Command {
  const command = newCommand('diff', 'show where two runs part')
    .argument('<run-a>', 'id of a run')
    .argument('<run-b>', 'id of another run');
  return onAction(command, host, (context, { words: [left = '', right = ''] }) =>
    withReadOnly(context, async (journal) => {
      const diff = await journal.diff(left, right);
      context.output.answer(diff);
      context.output.print(text(diff));
      return diff.equal ? exitStatus.ok : exitStatus.diverged;
    }),
  );
}

function text({ equal, began, ended, shared, events, partings, first, outcome }: RunDiff): string {
  if (equal) return `The same: ${shared} events.`;
  const counts = `${shared} events are shared, of ${events[0]} and ${events[1]}.`;
  const [parting] = partings;
  return [
    ...part('They begin differently:', began),
    counts,
    ...(parting === undefined || first === null ? [] : firstLines(parting, first)),
    ...outcomeLines(parting, outcome),
    ...(partings.length > 1 ? ['After it these part as well:', ...table(partings.slice(1))] : []),
    ...part('They end differently:', ended),
  ].join('\n');
}

function firstLines(parting: Parting, { event, state }: NonNullable<RunDiff['first']>): string[] {
  const { actor, actorSequence } = parting;
  const same = event.length === 0 ? ['The event is the same there.'] : [];
  return [
    `They part at ${actor}, event ${actorSequence} of it (${places(parting)}).`,
    ...same,
    ...part('Event:', event),
    ...(state === null ? ['No state can be shown there.'] : part('State after it:', state)),
  ];
}

/** Nothing where the first parting is that outcome. */
function outcomeLines(parting: Parting | undefined, outcome: RunDiff['outcome']): string[] {
  if (outcome === null || outcome.sequences[0] === parting?.sequences[0]) return [];
  const { actor, actorSequence, changes } = outcome;
  const title = `The first other outcome is at ${actor}, event ${actorSequence} of it (${places(outcome)}):`;
  return part(title, changes);
}

function table(partings: readonly Parting[]): string[] {
  const rows = partings
    .slice(0, partingsMax)
    .map((parting) => [parting.actor, `its event ${parting.actorSequence}`, places(parting)]);
  const left = partings.length - partingsMax;
  return [...alignedRows(rows), ...(left > 0 ? [`… and ${left} more`] : [])];
}

function places({ sequences }: Parting): string {
  const [one, other] = sequences.map((sequence) => (sequence === null ? 'none' : `${sequence}`));
  return `event ${one} of the first run, ${other} of the second`;
}

function part(title: string, changes: readonly JsonChange[]): string[] {
  return changes.length === 0 ? [] : [title, ...changeLines(changes)];
}
