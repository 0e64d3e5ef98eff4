/** `claw journal`: the files of the journal, and whether they are sound. */
import { Command } from 'commander';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { repairText, verificationText } from '../journal-report.ts';

interface RepairOptions {
  readonly truncate?: boolean;
  readonly skip?: boolean;
}

export function journalCommand(host: Host): Command {
  const verify = newCommand('verify', 'check every record, seal and text; changes nothing');
  onAction(verify, host, async ({ services, config, output }) => {
    const verification = await services.verifyJournal(config.dataDirectory);
    output.answer(verification);
    output.print(verificationText(verification));
    return verification.ok ? exitStatus.ok : exitStatus.dataDamaged;
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
    .addCommand(repair);
}
