/** `claw grant`: what was granted, and grants ahead of time. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { Command } from 'commander';
import {
  type EgressGrant,
  egressGrantSchema,
  signedGrantSchema,
} from '../../identity/egress-grant.ts';
import { type OperatorSignature, signDocument } from '../../identity/operator-signature.ts';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import type { GrantView } from '../../runtime/operator-port.ts';
import { alignedRows } from '../aligned-rows.ts';
import { collected, type Host, newCommand, onAction } from '../command.ts';
import { grantText, subjectText } from '../grant-text.ts';
import { openOwnKey } from '../operator-folder.ts';
import { withOperators } from '../operator-target.ts';
import { FileFault, readTextFile } from '../text-file.ts';

export function grantCommand(host: Host): Command {
  return new Command('grant')
    .description('permissions to reach the network')
    .addCommand(listCommand(host))
    .addCommand(issueCommand(host))
    .addCommand(revokeCommand(host));
}

function listCommand(host: Host): Command {
  const command = newCommand('list', 'show the grants that have not expired');
  return onAction(command, host, async (context) => {
    const grants = await withOperators(context, (operators) => operators.grants());
    context.output.answer({ grants });
    context.output.print(grants.length === 0 ? 'There is no grant.' : grantsText(grants));
    return exitStatus.ok;
  });
}

const issueHelp = `
FILE is the grant as JSON, or with the signatures of others: {"grant": …, "signatures": […]}.
A nonce is added where it has none. Where several people have to sign, --print writes both,
with your signature, for the next one, and issues nothing.`;

interface IssueOptions {
  readonly key?: readonly string[];
  readonly passphraseFile?: string;
  readonly print?: boolean;
}

function issueCommand(host: Host): Command {
  const command = newCommand('issue', 'sign a grant and issue it')
    .argument('<file>', 'JSON file')
    .option('--key <name>', 'key of yours that signs; repeat it for several', collected)
    .option('--passphrase-file <file>', 'file with the passphrase of the key')
    .option('--print', 'sign and print only')
    .addHelpText('after', issueHelp);
  return onAction<IssueOptions>(command, host, async (context, { words: [file = ''], options }) => {
    const { io, output } = context;
    const { grant, signatures: before } = readGrant(resolve(io.cwd, file));
    output.notice(grantText(grant));
    const { passphraseFile } = options;
    const added = (options.key ?? [undefined]).map((key) =>
      signDocument(openOwnKey(io, { key, passphraseFile }), grant),
    );
    const others = before.filter(({ key }) => added.every((each) => each.key !== key));
    const signed = { grant, signatures: [...others, ...added] };
    if (options.print === true) {
      output.answer(signed);
      output.print(JSON.stringify(signed, null, 2));
      return exitStatus.ok;
    }
    const issued = await withOperators(context, (operators) => operators.issueGrant(signed));
    output.answer(issued);
    output.print(`Granted; claw grant revoke ${issued.id.slice(0, 12)} ends it.`);
    return exitStatus.ok;
  });
}

function revokeCommand(host: Host): Command {
  const command = newCommand('revoke', 'end a grant')
    .argument('<id>', 'id of the grant, or its beginning')
    .option('--reason <text>', 'why, for those who read the audit later', 'revoked');
  return onAction<{ readonly reason: string }>(
    command,
    host,
    async (context, { words: [id = ''], options }) => {
      const reason = options.reason.slice(0, 200);
      const view = await withOperators(context, (operators) => operators.revokeGrant(id, reason));
      context.output.answer(view);
      context.output.print(`The grant ${view.id.slice(0, 12)} is revoked.`);
      return exitStatus.ok;
    },
  );
}

function readGrant(path: string): {
  readonly grant: EgressGrant;
  readonly signatures: readonly OperatorSignature[];
} {
  let given: unknown;
  try {
    given = JSON.parse(readTextFile(path, limits.keyFileBytesMax));
  } catch (cause) {
    const why = cause instanceof FileFault ? cause.message : 'is not JSON';
    throw new RuntimeError('GRANT_INVALID', `The file ${path} ${why}.`, { cause });
  }
  const whole = signedGrantSchema.safeParse(given);
  if (whole.success) return whole.data;
  const nonce = randomBytes(16).toString('base64url');
  const bare =
    typeof given === 'object' && given !== null && 'grant' in given ? given.grant : given;
  const parsed = egressGrantSchema.safeParse({ nonce, ...(bare as object) });
  if (parsed.success && bare === given) return { grant: parsed.data, signatures: [] };
  const [issue] = parsed.success ? whole.error.issues : parsed.error.issues;
  const place = issue?.path.join('.') || 'the file';
  throw new RuntimeError('GRANT_INVALID', `The file ${path}: ${place}: ${issue?.message}.`);
}

function grantsText(grants: readonly GrantView[]): string {
  const rows = grants.map(({ id, grant, used, problem }) => {
    const { methods, scheme, host, port, pathPrefix, subject, maxUses, expires } = grant;
    return [
      id.slice(0, 12),
      `${used}/${maxUses}`,
      new Date(expires).toISOString().slice(0, 16),
      subjectText(subject),
      `${methods.join(',')} ${scheme}://${host}:${port}${pathPrefix}`,
      problem ?? 'counts',
    ];
  });
  const header = ['ID', 'USED', 'UNTIL', 'WHO', 'WHAT', 'STATE'];
  return alignedRows([header, ...rows]).join('\n');
}
