/**
 * `claw access`: the tokens that open the API. It changes DATA/access.json
 * itself, so it needs no server and no token: whoever may write that file is
 * the owner of the data directory. A running server notices at once.
 */
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { changeAccess, readAccess } from '../../identity/access-file.ts';
import {
  type AccessEntry,
  isExpired,
  withAccess,
  withoutAccess,
} from '../../identity/access-list.ts';
import { type AccessRole, accessRoles } from '../../identity/access-rights.ts';
import { mintAccessToken } from '../../identity/access-token.ts';
import { systemClock } from '../../kernel/clock.ts';
import { exitStatus } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { type TextColumn, textTable } from '../text-table.ts';

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

interface AddOptions {
  readonly role: readonly AccessRole[];
  readonly expires?: number;
}

export function accessCommand(host: Host): Command {
  return new Command('access')
    .description('access tokens of the API')
    .addCommand(addCommand(host))
    .addCommand(listCommand(host))
    .addCommand(removeCommand(host));
}

const addHelp = `
Roles:
  viewer     reads
  operator   reads, and starts, changes and ends
  approver   reads, and permits what agents may do outside

The token is shown once. Keep it in a file that only you can read, and give that
to claw with --token-file, or send it as "Authorization: Bearer TOKEN".`;

function addCommand(host: Host): Command {
  const command = newCommand('add', 'make a token, which is shown once')
    .argument('<name>', 'what it is called in lists and reports')
    .requiredOption('--role <role>', `${accessRoles.join(', ')}; may be repeated`, rolesOf)
    .option('--expires <age>', 'for how long it opens (90m, 12h, 30d); for ever unless said', ageMs)
    .addHelpText('after', addHelp);
  return onAction<AddOptions>(command, host, async (context, { words: [name = ''], options }) => {
    const { config, services, output } = context;
    // A data directory that is not there yet becomes one, so that a server may start behind TLS and tokens at once.
    await services.prepareDataDirectory(config.dataDirectory);
    const token = mintAccessToken();
    const createdAt = systemClock.nowMs();
    const expiresAt = options.expires === undefined ? null : createdAt + options.expires;
    const { role: roles } = options;
    await changeAccess(config.dataDirectory, (list) =>
      withAccess(list, { name, roles, token, createdAt, expiresAt }),
    );
    output.notice('Keep this token; it is not shown again.');
    output.answer({ name, roles, createdAt, expiresAt, token });
    output.print(token);
    return exitStatus.ok;
  });
}

const columns: readonly TextColumn<AccessEntry & { readonly expired: boolean }>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ROLES', cell: ({ roles }) => roles.join(',') },
  { title: 'CREATED', cell: ({ createdAt }) => dateText(createdAt) },
  {
    title: 'EXPIRES',
    cell: ({ expiresAt, expired }) =>
      expiresAt === null ? 'never' : `${dateText(expiresAt)}${expired ? ' (expired)' : ''}`,
  },
];

function listCommand(host: Host): Command {
  const command = newCommand('list', 'the tokens there are, by name');
  return onAction(command, host, async ({ config, output }) => {
    const nowMs = systemClock.nowMs();
    const tokens = readAccess(config.dataDirectory).tokens.map((entry) => ({
      ...entry,
      expired: isExpired(entry, nowMs),
    }));
    output.answer({ tokens: tokens.map(({ digest: _digest, ...shown }) => shown) });
    const { lines } = textTable(columns, tokens, Number.POSITIVE_INFINITY);
    output.print(tokens.length === 0 ? 'There is no access token.' : lines.join('\n'));
    return exitStatus.ok;
  });
}

function removeCommand(host: Host): Command {
  const command = newCommand('rm', 'remove a token; it opens nothing any more').argument(
    '<name>',
    'its name, as claw access list shows it',
  );
  return onAction(command, host, async ({ config, output }, { words: [name = ''] }) => {
    // Nothing is made for a token that cannot be there.
    if (existsSync(config.dataDirectory)) {
      await changeAccess(config.dataDirectory, (list) => withoutAccess(list, name));
    } else withoutAccess(readAccess(config.dataDirectory), name);
    output.answer({ removed: name });
    output.print(`The token ${name} opens nothing any more.`);
    return exitStatus.ok;
  });
}

function rolesOf(text: string, before: readonly AccessRole[] = []): readonly AccessRole[] {
  const role = accessRoles.find((each) => each === text);
  if (role !== undefined) return [...new Set([...before, role])];
  throw new InvalidArgumentError(`One of ${accessRoles.join(', ')} is expected.`);
}

function ageMs(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const age = Number(count) * (unitMs[unit] ?? Number.NaN);
  if (age > 0 && age <= limits.accessLifeDaysMax * 86_400_000) return age;
  throw new InvalidArgumentError(
    `An age such as 90m, 12h or 30d is expected, at most ${limits.accessLifeDaysMax}d.`,
  );
}

function dateText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 16).replace('T', ' ');
}
