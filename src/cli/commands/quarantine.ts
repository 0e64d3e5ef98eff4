/** `claw quarantine`: the agents that stand still, and the operators' word that one may go on. */
import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { type OperatorSignature, signDocument } from '../../identity/operator-signature.ts';
import type { QuarantineEntry } from '../../identity/quarantine.ts';
import type { ReleaseStatement } from '../../identity/quarantine-release.ts';
import { systemClock } from '../../kernel/clock.ts';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { alignedRows } from '../aligned-rows.ts';
import { collected, type Host, newCommand, onAction } from '../command.ts';
import { openOwnKey } from '../operator-folder.ts';
import { withOperators } from '../operator-target.ts';

interface ReleaseOptions {
  readonly key?: readonly string[];
  readonly passphraseFile?: string;
}

/** Time to get the word to the runtime. */
const releaseMs = 10 * 60_000;

const listHelp = `
Such an agent does nothing more, also after a restart; claw events and claw replay show
its run as any other, and claw cancel ends it.`;

export function quarantineCommand(host: Host): Command {
  const list = newCommand('list', 'show the agents in quarantine, and why').addHelpText(
    'after',
    listHelp,
  );
  onAction(list, host, async ({ ...context }) => {
    const quarantined = await withOperators(context, (operators) => operators.quarantined());
    context.output.answer({ quarantined });
    context.output.print(
      quarantined.length === 0 ? 'No agent is in quarantine.' : text(quarantined),
    );
    return exitStatus.ok;
  });

  const release = newCommand('release', 'let an agent go on, with your signature')
    .argument('<run>', 'id of the run')
    .argument('[actor]', 'the agent; may be left out where only one of the run is in quarantine')
    .option('--key <name>', 'key of yours that signs; repeat it for several', collected)
    .option('--passphrase-file <file>', 'file with the passphrase of the key');
  onAction<ReleaseOptions>(release, host, async (context, { words, options }) => {
    const [run = '', actor] = words;
    const entry = await withOperators(context, async (operators) => {
      const found = (await operators.quarantined()).filter(
        (each) => each.run === run && (actor === undefined || each.actor === actor),
      );
      const statement = statementOf(found, run);
      const signatures = signaturesOf(statement);
      return operators.release({ statement, signatures });
    });
    context.output.answer(entry);
    context.output.print(`${entry.actor} goes on.`);
    return exitStatus.ok;

    function signaturesOf(statement: ReleaseStatement): OperatorSignature[] {
      const { passphraseFile } = options;
      return (options.key ?? [undefined]).map((key) =>
        signDocument(openOwnKey(context.io, { key, passphraseFile }), statement),
      );
    }
  });
  return new Command('quarantine')
    .description('agents that stand still after a violation')
    .addCommand(list)
    .addCommand(release);
}

function statementOf(found: readonly QuarantineEntry[], run: string): ReleaseStatement {
  const [entry] = found;
  if (entry === undefined || found.length > 1) {
    throw new RuntimeError(
      'RELEASE_REFUSED',
      `${found.length} agents of the run ${run} are in quarantine; name one that claw quarantine list shows.`,
    );
  }
  return {
    purpose: 'quarantine-release',
    run: entry.run,
    actor: entry.actor,
    sequence: entry.sequence,
    nonce: randomBytes(16).toString('base64url'),
    expires: systemClock.nowMs() + releaseMs,
  };
}

function text(quarantined: readonly QuarantineEntry[]): string {
  const rows = quarantined.map(({ run, actor, code, message, timeMs }) => [
    run,
    actor,
    new Date(timeMs).toISOString().slice(0, 19),
    code,
    message,
  ]);
  return alignedRows([['RUN', 'AGENT', 'SINCE', 'CODE', 'WHY'], ...rows]).join('\n');
}
