/** `claw journal`: the files of the journal, and whether they are sound. */
import { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { verificationText } from '../journal-report.ts';

export function journalCommand(host: Host): Command {
  const verify = newCommand('verify', 'check every record, seal and text; changes nothing');
  onAction(verify, host, async ({ services, config, output }) => {
    const verification = await services.verifyJournal(config.dataDirectory);
    output.answer(verification);
    output.print(verificationText(verification));
    return verification.ok ? exitStatus.ok : exitStatus.dataDamaged;
  });
  return new Command('journal').description('look after the journal').addCommand(verify);
}
