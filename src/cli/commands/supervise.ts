/** `claw supervise tune`: thresholds of the token detectors, looked at again on past runs. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { exitStatus, toErrorMessage } from '../../kernel/errors.ts';
import type { PastGeneration } from '../../runtime/past-generations.ts';
import { tuneDetectors } from '../../runtime/tune-detectors.ts';
import { readLabels, withLabels } from '../answer-labels.ts';
import { type CommandContext, decimal, type Host, newCommand, onAction } from '../command.ts';
import { withReadOnly } from '../read-only.ts';
import type { ReadOnlyRuntime } from '../services.ts';
import { tuneText } from '../tune-report.ts';

interface TuneOptions {
  readonly agent?: string;
  readonly labels?: string;
  readonly falseMax: number;
}

const help = `
No model is asked: the journal has a probability for each token. An answer counts as right
or wrong where checks of its agent (all but confidence) found it so, or FILE says so:
  {"run": "…", "sequence": 12, "right": true}    one line each; sequence as of claw events
--json lists each answer with its run, its sequence and what is known of it.`;

export function superviseCommand(host: Host): Command {
  return new Command('supervise')
    .description('look after the detectors that stop doubtful answers')
    .addCommand(tuneCommand(host));
}

function tuneCommand(host: Host): Command {
  const command = newCommand('tune', 'measure the detectors on past runs and propose thresholds')
    .argument('[runs...]', 'ids of runs; all of them unless given')
    .option('--agent <name>', 'answers of this agent alone')
    .option('--labels <file>', 'JSON lines that say which answers were right')
    .option(
      '--false-max <share>',
      'share of right answers that a proposed threshold may stop',
      decimal({ min: 0, max: 1 }),
      0.05,
    )
    .addHelpText('after', help);
  return onAction<TuneOptions>(command, host, (context, { words, options }) => {
    const { labels, agent, falseMax } = options;
    const given = labels === undefined ? [] : readLabels(resolve(context.io.cwd, labels));
    return withReadOnly(context, async (journal) => {
      const { output } = context;
      const read = generationsOf(context, journal, words);
      const chosen = withLabels(read.generations, given).filter(
        (each) => agent === undefined || each.agent === agent,
      );
      const report = tuneDetectors(chosen, falseMax);
      output.answer({ ...report, answers: chosen.map(shown), unread: read.unread });
      output.print(tuneText(report));
      return exitStatus.ok;
    });
  });
}

interface Unread {
  readonly run: string;
  readonly code: string;
  readonly message: string;
}

/** Of the runs that are named, or else of all; of these one that cannot be read is only told. */
function generationsOf(
  { output }: CommandContext,
  journal: ReadOnlyRuntime,
  named: readonly string[],
): { generations: PastGeneration[]; unread: Unread[] } {
  if (named.length > 0) {
    const generations = [...new Set(named)].flatMap((run) => journal.generations(run));
    return { generations, unread: [] };
  }
  const generations: PastGeneration[] = [];
  const unread: Unread[] = [];
  for (const { id, compacted, error } of journal.runs()) {
    if (compacted || error?.code === 'RUN_ERASED') continue;
    try {
      generations.push(...journal.generations(id));
    } catch (error) {
      const { code, message } = toErrorMessage(error);
      unread.push({ run: id, code, message });
      output.notice(`${id} is left out: ${message} (${code})`);
    }
  }
  return { generations, unread };
}

function shown({ tokens, thresholds: _, ...rest }: PastGeneration) {
  return { ...rest, tokens: tokens.length };
}
