/** `claw backup`: a copy of the data directory, taken beside a live server. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { BackupReport } from '../../journal/backup.ts';
import { exitStatus } from '../../kernel/errors.ts';
import { type CommandContext, type Host, newCommand, onAction } from '../command.ts';
import { findServer } from '../connect.ts';
import { bytesText } from '../quantity.ts';

const help = `
Works beside a running server. DIR is empty, or holds an earlier backup of the same
data directory, of which only what is new is copied. The copy is a data directory:
claw up --data DIR goes on with its open runs, and from then on it is no backup.`;

export function backupCommand(host: Host): Command {
  const command = newCommand('backup', 'copy the data directory, and verify the copy')
    .argument('<dir>', 'an empty folder, or the one of an earlier backup')
    .addHelpText('after', help);
  return onAction(command, host, async (context, { words: [dir = ''] }) => {
    const { output, io } = context;
    const report = await backUp(context, resolve(io.cwd, dir));
    const { folder, lastSequence, seal, files } = report;
    output.answer(report);
    output.print(
      [
        `copied       ${files.copied} files, ${bytesText(files.copiedBytes)} bytes; ${files.kept} were there, ${files.removed} are gone`,
        `last seal    ${seal} (sequence ${lastSequence})`,
        `${folder} is a whole copy, and was verified.`,
      ].join('\n'),
    );
    return exitStatus.ok;
  });
}

/** By the server of the data directory, which then drops nothing meanwhile; beside any other owner. */
async function backUp(context: CommandContext, folder: string): Promise<BackupReport> {
  const { services, config } = context;
  const owner = await services.owner(config.dataDirectory);
  const server = owner?.port ? await findServer(context) : null;
  return server === null ? services.backUp(config.dataDirectory, folder) : server.backUp(folder);
}
