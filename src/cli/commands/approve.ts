/** `claw approve`: what waits for people, and their word on it. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import type { PendingApproval } from '../../identity/approval-book.ts';
import { type EgressGrant, egressGrantSchema } from '../../identity/egress-grant.ts';
import { proposedTerms } from '../../identity/egress-request.ts';
import { signDocument } from '../../identity/operator-signature.ts';
import { systemClock } from '../../kernel/clock.ts';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import type { DecisionView } from '../../runtime/operator-port.ts';
import { alignedRows } from '../aligned-rows.ts';
import {
  type CommandContext,
  collected,
  type Host,
  integer,
  newCommand,
  onAction,
} from '../command.ts';
import { grantText, subjectText } from '../grant-text.ts';
import { openOwnKey } from '../operator-folder.ts';
import { type RemoteOperators, withOperators } from '../operator-target.ts';

interface ApproveOptions {
  readonly deny?: boolean;
  readonly yes?: boolean;
  readonly key?: string;
  readonly passphraseFile?: string;
  readonly uses?: number;
  readonly for?: string;
  readonly path?: string;
  readonly host?: string;
  readonly secret?: readonly string[];
}

const help = `
Without an id it lists what waits. With one it shows what you would grant, asks, and signs
it with your key. Where several people have to sign, each runs it, and signs what the first
one chose unless he chooses otherwise.

A secret of the vault goes into the request as an Authorization header, or elsewhere:
  --secret NAME                     authorization: Bearer …
  --secret NAME=x-api-key           x-api-key: …
  --secret "NAME=authorization:Basic {}"`;

export function approveCommand(host: Host): Command {
  const command = newCommand('approve', 'see and decide what waits for people')
    .argument('[id]', 'which one')
    .option('--deny', 'refuse it')
    .option('--key <name>', 'key of yours that signs')
    .option('--passphrase-file <file>', 'file with the passphrase of the key')
    .option('--uses <n>', 'how often', integer({ min: 1, max: limits.grantUsesMax }))
    .option('--for <time>', 'how long: 30m, 1h, 7d (1h)')
    .option('--path <prefix>', 'what the path begins with, at a slash')
    .option('--host <host>', 'a host, or *.example.com')
    .option('--secret <name>', 'secret that goes along; may be repeated', collected)
    .option('--yes', 'do not ask')
    .addHelpText('after', help);
  return onAction<ApproveOptions>(command, host, (context, { words: [id], options }) =>
    withOperators(context, async (operators) => {
      if (id === undefined) return list(context, await operators.approvals());
      if (options.deny === true) return report(context, await operators.deny(id));
      const pending = (await operators.approvals()).find((each) => each.id === id);
      if (pending === undefined) {
        const message = `Nothing waits under ${id}; claw approve lists what does.`;
        throw new RuntimeError('APPROVAL_NOT_FOUND', message);
      }
      return approve(context, operators, pending, options);
    }),
  );
}

function list({ output }: CommandContext, approvals: readonly PendingApproval[]): number {
  output.answer({ approvals });
  const rows = approvals.map(({ id, request, expires, draft }) => {
    const { method, scheme, host, port, path, subject } = request;
    const left = Math.max(0, Math.ceil((expires - systemClock.nowMs()) / 1_000));
    const signatures = draft === null ? '-' : String(draft.signatures.length);
    return [
      id,
      `${left} s`,
      signatures,
      subjectText(subject),
      `${method} ${scheme}://${host}:${port}${path}`,
    ];
  });
  output.print(
    rows.length === 0
      ? 'Nothing waits.'
      : alignedRows([['ID', 'LEFT', 'SIGNED', 'WHO', 'WHAT'], ...rows]).join('\n'),
  );
  return exitStatus.ok;
}

async function approve(
  context: CommandContext,
  operators: RemoteOperators,
  pending: PendingApproval,
  options: ApproveOptions,
): Promise<number> {
  const grant = grantFor(pending, options);
  context.output.notice(grantText(grant));
  if (options.yes !== true && !(await agrees(context))) {
    context.output.notice('Nothing was signed.');
    context.output.answer({ approval: pending.id, state: 'undecided' });
    return exitStatus.interrupted;
  }
  const signer = openOwnKey(context.io, options);
  const signatures = [signDocument(signer, grant)];
  return report(context, await operators.approve(pending.id, { grant, signatures }));
}

/** What is signed: the choice of the first who signed, or one's own. */
function grantFor(pending: PendingApproval, options: ApproveOptions): EgressGrant {
  const { uses, for: time, path, host, secret } = options;
  const chooses = [uses, time, path, host, secret].some((each) => each !== undefined);
  if (pending.draft !== null && !chooses) return pending.draft.grant;
  const now = systemClock.nowMs();
  const terms = proposedTerms(pending.request);
  const parsed = egressGrantSchema.safeParse({
    ...terms,
    ...(host === undefined ? {} : { host }),
    ...(path === undefined ? {} : { pathPrefix: path }),
    maxUses: uses ?? terms.maxUses,
    credentials: (secret ?? []).map(credential),
    // Clocks of two machines differ a little.
    notBefore: now - 60_000,
    expires: now + durationMs(time ?? '1h'),
    nonce: randomBytes(16).toString('base64url'),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const message = `The grant is not valid (${issue?.path.join('.')}: ${issue?.message}).`;
  throw new RuntimeError('GRANT_INVALID', message);
}

function credential(text: string) {
  const [secret = '', place = 'authorization:Bearer {}'] = text.split(/=(.*)/s);
  const [header = '', format = '{}'] = place.split(/:(.*)/s);
  return { secret, header: header.toLowerCase(), format };
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Milliseconds. @throws RuntimeError USAGE */
function durationMs(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (units[unit] ?? 0);
  if (seconds > 0) return seconds * 1_000;
  throw new RuntimeError('USAGE', `--for is a time such as 30m, 1h or 7d, not ${text}.`);
}

async function agrees({ io, output }: CommandContext): Promise<boolean> {
  output.stderr.write('Sign this? [y/N] ');
  for await (const line of io.lines()) return /^y(es)?$/i.test(line.trim());
  return false;
}

function report({ output }: CommandContext, decision: DecisionView): number {
  output.answer(decision);
  const { have, need } = decision.signatures;
  const grant = decision.grant?.slice(0, 12);
  output.print(
    {
      granted: `Granted; claw grant revoke ${grant} ends it.`,
      signed: `Signed, ${have} of ${need}; the others run claw approve ${decision.approval}.`,
      denied: 'Denied.',
      expired: 'It waits no more.',
    }[decision.state],
  );
  return exitStatus.ok;
}
