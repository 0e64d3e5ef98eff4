/** `claw secret`: secrets that actuators put into requests, and nobody else sees. */
import { Command } from 'commander';
import { Vault } from '../../identity/vault.ts';
import { systemClock } from '../../kernel/clock.ts';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type CommandContext, type Host, newCommand, onAction } from '../command.ts';
import { readHiddenLine } from '../hidden-line.ts';
import { readPassphrase } from '../operator-folder.ts';

interface SetOptions {
  readonly passphraseFile?: string;
}

export function secretCommand(host: Host): Command {
  return new Command('secret')
    .description('secrets of the vault')
    .addCommand(setCommand(host))
    .addCommand(listCommand(host))
    .addCommand(removeCommand(host));
}

const setHelp = `
The value is one line of standard input, or typed without an echo; never a word of the command
line, which other programs see. A running server uses it at once.

A new vault is guarded by the passphrase of OPENCLAW_VAULT_PASSPHRASE or --passphrase-file, which
the server then needs too. Without one its key lies beside it, in identity/vault.key: that protects a
copy of vault.json alone, and not from whoever reads the data directory.`;

function setCommand(host: Host): Command {
  const command = newCommand('set', 'set a secret; its value comes from standard input')
    .argument('<name>', 'letters, digits, _ . -')
    .option('--passphrase-file <file>', 'file with the passphrase of the vault')
    .addHelpText('after', setHelp);
  return onAction<SetOptions>(command, host, async (context, { words: [name = ''], options }) => {
    const { config, output } = context;
    const passphrase = passphraseOf(context, options);
    const value = await readHiddenLine(context, `Value of ${name}: `);
    if (value === null || value === '') {
      throw new RuntimeError('SECRET_INVALID', 'No value was given; type it, or pipe one line.');
    }
    const isNew = Vault.isLocked(config.dataDirectory) === null;
    const nowMs = systemClock.nowMs();
    const view = Vault.set(config.dataDirectory, passphrase, { name, value, nowMs });
    output.answer(view);
    output.print(`The secret ${name} is set.`);
    if (isNew && passphrase === null) {
      output.notice(
        'Its key lies beside it, in identity/vault.key: keep others from the data directory.',
      );
    }
    return exitStatus.ok;
  });
}

function listCommand(host: Host): Command {
  const command = newCommand('list', 'show names and dates, never values');
  return onAction(command, host, async ({ config, output }) => {
    const secrets = Vault.list(config.dataDirectory);
    output.answer({ secrets, locked: Vault.isLocked(config.dataDirectory) });
    const rows = secrets.map(({ name, created, updated }) => [name, day(created), day(updated)]);
    output.print(
      rows.length === 0
        ? 'There is no secret.'
        : alignedRows([['NAME', 'CREATED', 'SET'], ...rows]).join('\n'),
    );
    return exitStatus.ok;
  });
}

function removeCommand(host: Host): Command {
  const command = newCommand('rm', 'remove a secret').argument('<name>', 'which one');
  return onAction(command, host, async ({ config, output }, { words: [name = ''] }) => {
    Vault.remove(config.dataDirectory, name);
    output.answer({ removed: name });
    output.print(`The secret ${name} is removed.`);
    return exitStatus.ok;
  });
}

function passphraseOf({ io, config }: CommandContext, { passphraseFile }: SetOptions) {
  return readPassphrase(io, passphraseFile) ?? config.vaultPassphrase ?? null;
}

function day(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}
