/** `claw release`: a person says how a paused agent goes on. */
import type { Command } from 'commander';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import type { PauseView } from '../../runtime/views.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { followToEnd, reportRun } from '../follow-run.ts';
import { withReadOnly } from '../read-only.ts';
import { openRunTarget } from '../run-target.ts';

const decisions = ['retry', 'accept', 'hand-over', 'stop'] as const;

interface ReleaseOptions {
  readonly do: string;
  readonly prompt?: string;
  readonly reason?: string;
  readonly label?: string;
}

const help = `
What it goes on with:
  retry      another attempt, with --prompt instead of the same question (usual)
  accept     the answer as it is
  hand-over  nothing; the document goes to a human
  stop       nothing; the run fails

claw runs show RUN tells what waits and why. Where no server runs, the run goes on here to
its end.`;

export function releaseCommand(host: Host): Command {
  const command = newCommand('release', 'say how an agent goes on that the supervisor has paused')
    .argument('<pause>', 'id of the run, or key of the pause where several agents wait')
    .option('--do <decision>', decisions.join(', '), 'retry')
    .option('--prompt <text>', 'what is asked in the next attempt')
    .option('--label <level>', 'label of the prompt, where the pipeline has labels')
    .option('--reason <text>', 'why, for those who read the journal later')
    .addHelpText('after', help);
  return onAction<ReleaseOptions>(
    command,
    host,
    async (context, { words: [name = ''], options }) => {
      const outcome = outcomeOf(options);
      const [id = ''] = name.split(':');
      const run = await withReadOnly(context, async (journal) => journal.run(id));
      const key = name === id ? onlyKey(id, run.paused ?? []) : name;
      const { reason } = options;
      const target = await openRunTarget(context);
      try {
        const request = { key, outcome, ...(reason === undefined ? {} : { reason }) };
        const effect = await target.resolve(id, request);
        context.output.notice(`The pause ${key} is over: ${options.do}.`);
        if (target.outlives) {
          context.output.answer(effect);
          return exitStatus.ok;
        }
        const ended = await followToEnd(context, target, { id });
        return ended === null ? exitStatus.interrupted : reportRun(context, ended, null);
      } finally {
        await target.close();
      }
    },
  );
}

function outcomeOf({ do: decision, prompt, label }: ReleaseOptions) {
  if (!decisions.some((each) => each === decision)) {
    throw new RuntimeError('USAGE', `--do is ${decisions.join(', ')}, not ${decision}.`);
  }
  if (prompt !== undefined && decision !== 'retry') {
    throw new RuntimeError('USAGE', '--prompt is for another attempt, --do retry.');
  }
  if (label !== undefined && prompt === undefined) {
    throw new RuntimeError('USAGE', '--label is that of --prompt.');
  }
  const labelled = label === undefined ? {} : { label };
  const value = { decision, ...(prompt === undefined ? {} : { prompt }), ...labelled };
  return { status: 'completed', value };
}

function onlyKey(run: string, paused: readonly PauseView[]): string {
  const [only] = paused;
  if (only !== undefined && paused.length === 1) return only.key;
  throw new RuntimeError(
    'EFFECT_NOT_FOUND',
    only === undefined
      ? `Nothing of the run ${run} waits for a person.`
      : `Several agents of the run ${run} wait; name one of the keys ${paused.map(({ key }) => key).join(', ')}.`,
  );
}
