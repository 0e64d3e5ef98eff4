/** `claw runs show RUN`: how a run stands, who waits for a person, and what the supervisor did. */
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import type { ClearanceView } from '../../runtime/clearance-view.ts';
import type { InterventionView, PauseView } from '../../runtime/views.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { withReadOnly } from '../read-only.ts';
import { runSummary } from '../run-summary.ts';

export function showCommand(host: Host): Command {
  const command = newCommand(
    'show',
    'how a run stands, and what its supervisor did and why',
  ).argument('<run>', 'id of the run');
  return onAction(command, host, (context, { words: [id = ''] }) =>
    withReadOnly(context, async (journal) => {
      const run = journal.run(id);
      const interventions = journal.interventions(id);
      context.output.answer({ ...run, interventions });
      context.output.print(
        [
          runSummary(run),
          ...clearanceLines(run.clearance),
          ...pauseLines(run.paused ?? []),
          ...text(interventions),
        ].join('\n'),
      );
      return exitStatus.ok;
    }),
  );
}

function clearanceLines(clearance: ClearanceView | undefined): string[] {
  if (clearance === undefined) return [];
  const { levels, documents, agents } = clearance;
  const counts = levels.flatMap((level) =>
    documents[level] === undefined ? [] : [`${documents[level]} ${level}`],
  );
  const cleared = Object.entries(agents).map(([name, level]) => `${name} ${level}`);
  return [`labels       ${counts.join(', ')}`, `clearance    ${cleared.join(', ')}`];
}

function pauseLines(paused: readonly PauseView[]): string[] {
  return paused.map(
    ({ actor, step, key }) => `waits        ${actor} at ${step} for a person: claw release ${key}`,
  );
}

const header: readonly string[] = ['EVENT', 'AGENT', 'ATTEMPT', 'RULE', 'DID', 'EVIDENCE'];

function text(interventions: readonly InterventionView[]): string[] {
  if (interventions.length === 0) return [];
  const rows = interventions.map((each) => [
    String(each.sequence),
    each.actor,
    each.attempt === null ? '-' : String(each.attempt),
    each.rule === null ? '-' : `${each.rule} ${each.when ?? ''}`,
    deedText(each),
    each.findings.map(({ source, evidence }) => `${source}: ${evidence}`).join(' ') || '-',
  ]);
  return ['', ...alignedRows([header, ...rows])];
}

function deedText({ did, decided, next }: InterventionView): string {
  const word = decided === null ? did : `${did} → ${decided}`;
  if (next === null) return word;
  const model = next.model === null ? '' : `, ${next.model}`;
  return `${word} (attempt ${next.attempt}, temperature ${next.temperature}${model})`;
}
