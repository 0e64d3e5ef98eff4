/**
 * `claw token`: tokens for single executions, to try the gateway's checks from
 * outside. What `issue` prints, `verify` takes.
 */
import { Command } from 'commander';
import { errorCatalogue, exitStatus, RuntimeError } from '../../kernel/errors.ts';
import type { Json } from '../../kernel/json.ts';
import { limits } from '../../kernel/limits.ts';
import { type Host, integer, newCommand, onAction } from '../command.ts';
import { findServer } from '../connect.ts';

interface IssueOptions {
  readonly operation: string;
  readonly arguments: string;
  readonly ttl: number;
}

interface VerifyOptions {
  readonly use?: boolean;
}

const verifyHelp = `
Standard input is a token, or the JSON that claw token issue --json prints, which
is checked whole: certificate, token, scope and signature. The exit status is 0
only if it would be let through.`;

export function tokenCommand(host: Host): Command {
  const issue = newCommand('issue', 'a token for one execution, with certificate and signature')
    .requiredOption('--operation <name>', 'such as sandbox.run')
    .option('--arguments <json>', 'arguments of the execution', '{}')
    .option(
      '--ttl <seconds>',
      'how long it counts',
      integer({ min: 1, max: limits.tokenSecondsMax }),
      limits.tokenSecondsMax,
    );
  onAction<IssueOptions>(issue, host, async (context, { options }) => {
    const { services, config, output } = context;
    const [actuator = '', operation = ''] = options.operation.split('.', 2);
    const request = { actuator, operation, arguments: parsedArguments(options.arguments) };
    const issued = await services.issueToken(config.dataDirectory, request, options.ttl);
    output.answer(issued);
    output.print(issued.token);
    return exitStatus.ok;
  });

  const verify = newCommand('verify', 'whether a token on standard input would be let through')
    .option('--use', 'use it up, as the gateway does (needs a running server)')
    .addHelpText('after', verifyHelp);
  onAction<VerifyOptions>(verify, host, async (context, { options }) => {
    const { services, config, output, io } = context;
    const given = await standardInput(io.lines());
    const server = await findServer(context);
    if (server === null && options.use === true) {
      throw new RuntimeError('USAGE', 'A token is used up by a running server; start claw up.');
    }
    const question = { ...presentedIn(given), use: options.use ?? false };
    const result =
      server === null
        ? await services.examineToken(config.dataDirectory, question)
        : await server.examineToken(question);
    output.answer(result);
    if (result.valid) {
      output.print('It would be let through.');
      return exitStatus.ok;
    }
    output.notice(`claw: ${result.reason} (${result.code})`);
    return errorCatalogue[result.code].exit;
  });
  return new Command('token')
    .description('tokens for single executions')
    .addCommand(issue)
    .addCommand(verify);
}

function parsedArguments(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new RuntimeError('USAGE', 'The arguments are not JSON; see claw token issue --help.', {
      cause,
    });
  }
}

/** JSON with all that belongs to a token, or else a token alone. */
function presentedIn(text: string): Record<string, unknown> {
  if (!text.startsWith('{')) return { token: text };
  try {
    return { presented: JSON.parse(text) };
  } catch {
    return { token: text };
  }
}

/** Long input is cut: whatever is that long is refused anyway. */
async function standardInput(lines: AsyncIterable<string>): Promise<string> {
  const read: string[] = [];
  let characters = 0;
  for await (const line of lines) {
    read.push(line);
    characters += line.length;
    if (characters > limits.requestBodyBytesMax) break;
  }
  return read.join('\n').trim();
}
