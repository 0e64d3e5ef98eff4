/** `claw journal`: the files of the journal, and whether they are sound. */
import { Command } from 'commander';
import { systemClock } from '../../kernel/clock.ts';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { parseLimit } from '../compaction-limit.ts';
import { findServer } from '../connect.ts';
import { auditsText, compactionText, repairText, verificationText } from '../journal-report.ts';
import { withReadOnly } from '../read-only.ts';

interface RepairOptions {
  readonly truncate?: boolean;
  readonly skip?: boolean;
}

export function journalCommand(host: Host): Command {
  const verify = newCommand('verify', 'check every record, seal and text; changes nothing').option(
    '--snapshots',
    'also the last snapshot of each open run, against a full replay',
  );
  onAction<{ readonly snapshots?: boolean }>(verify, host, async (context, { options }) => {
    const { services, config, output } = context;
    const verification = await services.verifyJournal(config.dataDirectory);
    // A replay of a damaged journal says nothing of its snapshots.
    const audits =
      options.snapshots === true && verification.ok
        ? await withReadOnly(context, async (journal) => journal.auditSnapshots())
        : null;
    output.answer(audits === null ? verification : { ...verification, snapshots: audits });
    output.print(verificationText(verification));
    if (audits !== null) output.print(auditsText(audits));
    const isSound = verification.ok && (audits ?? []).every(({ equal }) => equal);
    return isSound ? exitStatus.ok : exitStatus.dataDamaged;
  });
  const repair = newCommand('repair', 'go on after damage; what is changed is kept in DATA/damaged')
    .option('--truncate', 'end the journal before the first damage')
    .option('--skip', 'go over the damage and keep what is behind it');
  onAction<RepairOptions>(repair, host, async ({ services, config, output }, { options }) => {
    const { truncate = false, skip = false } = options;
    if (truncate === skip) {
      throw new RuntimeError(
        'USAGE',
        'Give one of --truncate and --skip; see claw journal repair --help.',
      );
    }
    const report = await services.repairJournal(config.dataDirectory, skip ? 'skip' : 'truncate');
    output.answer(report);
    output.print(repairText(report));
    return report.after.ok ? exitStatus.ok : exitStatus.dataDamaged;
  });
  return new Command('journal')
    .description('look after the journal')
    .addCommand(verify)
    .addCommand(repair)
    .addCommand(compactCommand(host));
}

const compactHelp = `
Only whole segments go, from the beginning, and only where every run in them ended
before WHERE and replays equal. A run that is open, or whose fork stays, holds back
its segments and all behind them; the output says which. What stays is verified first.
Where a server is running it does this and goes on with its runs meanwhile.`;

function compactCommand(host: Host): Command {
  const command = newCommand('compact', 'drop the beginning of the journal, with proof')
    .requiredOption('--before <where>', 'a date (2026-01-31), an age (30d, 12h) or a sequence')
    .option('--dry-run', 'prove and say what would go, and change nothing')
    .addHelpText('after', compactHelp);
  return onAction<{ readonly before: string; readonly dryRun?: boolean }>(
    command,
    host,
    async (context, { options: { before, dryRun = false } }) => {
      const { services, config, output } = context;
      const nowMs = systemClock.nowMs();
      const limit = parseLimit(before, nowMs);
      const server = await findServer(context);
      const report =
        server === null
          ? await services.compactJournal(config.dataDirectory, limit, { nowMs, dryRun })
          : await server.compactJournal({ before: limit, dryRun });
      output.answer(report);
      output.print(compactionText(report));
      return exitStatus.ok;
    },
  );
}
