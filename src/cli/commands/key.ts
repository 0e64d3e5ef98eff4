/** `claw key`: the keys of the people who may approve. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { KeyChange, KeyStatement } from '../../identity/key-change.ts';
import { newOperatorKey } from '../../identity/operator-key.ts';
import { signDocument } from '../../identity/operator-signature.ts';
import { isPublicKey } from '../../identity/signing-key.ts';
import { systemClock } from '../../kernel/clock.ts';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import type { OperatorKeysView } from '../../runtime/operator-port.ts';
import { alignedRows } from '../aligned-rows.ts';
import {
  type CommandContext,
  collected,
  type Host,
  integer,
  newCommand,
  onAction,
} from '../command.ts';
import { requireNoOwner } from '../connect.ts';
import { openOwnKey, ownKeys, readPassphrase, writeKey } from '../operator-folder.ts';
import { type RemoteOperators, withOperators } from '../operator-target.ts';

interface SignerOptions {
  readonly key?: readonly string[];
  readonly passphraseFile?: string;
}

/** Options of whatever the operators sign together. */
function signedBy(command: Command): Command {
  return command
    .option('--key <name>', 'key of yours that signs; repeat it for several', collected)
    .option('--passphrase-file <file>', 'file with the passphrase of the key');
}

export function keyCommand(host: Host): Command {
  return new Command('key')
    .description('keys of the people who may approve')
    .addCommand(newKeyCommand(host))
    .addCommand(enrollCommand(host))
    .addCommand(listCommand(host))
    .addCommand(revokeCommand(host))
    .addCommand(thresholdCommand(host))
    .addCommand(resetCommand(host));
}

function newKeyCommand(host: Host): Command {
  const command = newCommand('new', 'make a key of your own, in your configuration folder')
    .argument('<name>', 'a-z, 0-9, dot, dash, underscore')
    .option('--passphrase-file <file>', 'file whose first line is to guard the key');
  return onAction<{ readonly passphraseFile?: string }>(
    command,
    host,
    async ({ io, output }, { words: [name = ''], options }) => {
      if (!/^[a-z][a-z0-9._-]{0,39}$/.test(name)) {
        const message = 'A name has 1 to 40 of a-z, 0-9, dot, dash, underscore.';
        throw new RuntimeError('OPERATOR_KEY_INVALID', message);
      }
      const passphrase = readPassphrase(io, options.passphraseFile);
      const { publicKey, text } = newOperatorKey(passphrase);
      const path = writeKey(io, name, text);
      output.answer({ name, publicKey, path, locked: passphrase !== null });
      output.print(`${path}\npublic key ${publicKey}\nEnrol it with: claw key enroll ${name}`);
      if (passphrase === null) {
        output.notice('No passphrase guards it: whoever reads the file can sign as you.');
      }
      return exitStatus.ok;
    },
  );
}

function enrollCommand(host: Host): Command {
  const command = signedBy(newCommand('enroll', 'let a key approve'))
    .argument('<key>', 'name of a key of yours, or a public key')
    .option('--name <name>', 'name by which it is enrolled');
  return onAction<SignerOptions & { readonly name?: string }>(
    command,
    host,
    async (context, { words: [given = ''], options }) => {
      const own = ownKeys(context.io).find(({ name }) => name === given);
      const publicKey = own?.publicKey ?? given;
      if (!isPublicKey(publicKey)) {
        const message = `${given} is neither a key of yours nor a public key; claw key new makes one.`;
        throw new RuntimeError('OPERATOR_KEY_INVALID', message);
      }
      const name = options.name ?? own?.name;
      if (name === undefined) throw new RuntimeError('USAGE', 'Give the public key a --name.');
      return change(context, { type: 'enroll', name, publicKey }, options);
    },
  );
}

function listCommand(host: Host): Command {
  const command = newCommand('list', 'show the enrolled keys, and yours');
  return onAction(command, host, async (context) => {
    const view = await withOperators(context, (operators) => operators.keys());
    const own = ownKeys(context.io).map(({ name, publicKey, locked }) => {
      return { name, publicKey, locked };
    });
    context.output.answer({ threshold: view.threshold, keys: view.keys, own });
    context.output.print(keysText(view));
    const strangers = own.filter(({ publicKey }) =>
      view.keys.every((k) => k.publicKey !== publicKey),
    );
    if (strangers.length > 0) {
      const names = strangers.map(({ name }) => name).join(', ');
      context.output.print(`Yours, and not enrolled: ${names}`);
    }
    return exitStatus.ok;
  });
}

function revokeCommand(host: Host): Command {
  const command = signedBy(newCommand('revoke', 'let a key approve nothing more, for good'))
    .argument('<name>', 'name under which it is enrolled')
    .option('--reason <text>', 'such as lost', 'lost');
  return onAction<SignerOptions & { readonly reason: string }>(
    command,
    host,
    async (context, { words: [name = ''], options }) =>
      change(context, { type: 'revoke', name, reason: options.reason }, options),
  );
}

function thresholdCommand(host: Host): Command {
  const command = signedBy(newCommand('threshold', 'say how many keys have to sign')).argument(
    '<count>',
    'at most as many as are enrolled',
    integer({ min: 1, max: limits.operatorKeysMax }),
  );
  return onAction<SignerOptions>(command, host, async (context, { words: [count = ''], options }) =>
    change(context, { type: 'threshold', threshold: Number(count) }, options),
  );
}

const resetHelp = `
For when all keys are lost. It needs the data directory and a stopped server; every grant
ends, the next enrolment is the first again, and the audit shows that it happened.`;

function resetCommand(host: Host): Command {
  const command = newCommand('reset', 'forget all enrolled keys, with the server stopped')
    .requiredOption('--reason <text>', 'why, for those who read the audit later')
    .addHelpText('after', resetHelp);
  return onAction<{ readonly reason: string }>(command, host, async (context, { options }) => {
    await requireNoOwner(context);
    const offline = await context.services.openOperators(context.config.dataDirectory);
    try {
      await offline.resetKeys(options.reason.slice(0, 200));
      context.output.answer(offline.operators.keys());
      context.output.print('All keys are forgotten; enrol the first one with claw key enroll.');
      return exitStatus.ok;
    } finally {
      offline.close();
    }
  });
}

/** Signs a change with keys of the user and brings it to the desk. */
async function change(
  context: CommandContext,
  wanted: KeyChange,
  options: SignerOptions,
): Promise<number> {
  const view = await withOperators(context, async (operators) => {
    const before = await operators.keys();
    const isFirst = before.enrolmentProof !== null;
    const statement: KeyStatement = {
      purpose: 'operator-keys',
      change: wanted,
      nonce: randomBytes(16).toString('base64url'),
      expires: systemClock.nowMs() + 3_600_000,
    };
    const names = options.key ?? [undefined];
    const signatures = isFirst
      ? []
      : names.map((key) => {
          const { passphraseFile } = options;
          return signDocument(openOwnKey(context.io, { key, passphraseFile }), statement);
        });
    return operators.changeKeys({ statement, signatures }, proofOf(before));
  });
  context.output.answer(view);
  context.output.print(keysText(view));
  return exitStatus.ok;
}

/** What the owner of the data directory can read. */
function proofOf({ enrolmentProof }: Awaited<ReturnType<RemoteOperators['keys']>>): string | null {
  if (enrolmentProof === null) return null;
  try {
    return readFileSync(enrolmentProof, 'utf8').trim();
  } catch {
    return null;
  }
}

function keysText({ keys, threshold }: OperatorKeysView): string {
  if (keys.length === 0) return 'No key is enrolled; claw key enroll enrols the first one.';
  const rows = keys.map(({ name, publicKey, enrolledAt, revoked }) => [
    name,
    publicKey,
    new Date(enrolledAt).toISOString().slice(0, 10),
    revoked === null ? 'enrolled' : `revoked: ${revoked.reason}`,
  ]);
  const need = `${threshold} of them ${threshold === 1 ? 'has' : 'have'} to sign.`;
  return [...alignedRows([['NAME', 'PUBLIC KEY', 'SINCE', 'STATE'], ...rows]), need].join('\n');
}
