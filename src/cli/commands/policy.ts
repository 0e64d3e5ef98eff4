/** `claw policy`: the Cedar policies in force, whether they are sound, and what they say. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import {
  filesIn,
  type PolicyFile,
  policiesFolder,
  policyFilesAt,
  policyFilesInForce,
  policyPaths,
  shippedTests,
  testEndings,
} from '../../runtime/policy/policy-files.ts';
import { policyRequest, writtenRequestShape } from '../../runtime/policy/policy-request.ts';
import {
  openPolicySet,
  type Policy,
  policyProblems,
  problemText,
} from '../../runtime/policy/policy-set.ts';
import { readPolicyTests, runPolicyTests } from '../../runtime/policy/policy-tests.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type CommandContext, type Host, newCommand, onAction } from '../command.ts';

const help = `
The policies that ship hold everywhere. More come from DATA/policies/*.cedar and from
policies: of the configuration; a forbid wins over every permit. A running server takes
changed policies with its next start.`;

export function policyCommand(host: Host): Command {
  return new Command('policy')
    .description('look after the policies that every operation is compared with')
    .addHelpText('after', help)
    .addCommand(listCommand(host))
    .addCommand(checkCommand(host))
    .addCommand(testCommand(host))
    .addCommand(explainCommand(host));
}

function inForce({ config }: CommandContext): PolicyFile[] {
  return policyFilesInForce(config.dataDirectory, config.policies);
}

function listCommand(host: Host): Command {
  const command = newCommand('list', 'the policies in force');
  return onAction(command, host, async (context) => {
    const set = await openPolicySet(inForce(context));
    const { hash, policies } = set;
    const rows = policies.map(({ effect, id, file }: Policy) => [effect, id, file]);
    context.output.answer({ sha256: hash, policies });
    context.output.print([...alignedRows([['EFFECT', 'ID', 'FILE'], ...rows]), hash].join('\n'));
    return exitStatus.ok;
  });
}

function checkCommand(host: Host): Command {
  const command = newCommand('check', 'compare policies with the schema').argument(
    '[paths...]',
    'files or folders of policies; without one those in force',
  );
  return onAction(command, host, async (context, { words }) => {
    const paths = words.map((word) => resolve(context.io.cwd, word));
    const files = paths.length === 0 ? inForce(context) : policyFilesAt(paths.flatMap(policyPaths));
    const problems = await policyProblems(files);
    context.output.answer({ files: files.map(({ file }) => file), problems });
    const sound = `${files.length} files are sound.`;
    context.output.print(problems.length === 0 ? sound : problems.map(problemText).join('\n'));
    return problems.length === 0 ? exitStatus.ok : exitStatus.badInput;
  });
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw new RuntimeError('POLICY_INVALID', `There is no ${path}; check the path.`, { cause });
  }
}

/** Policies and files of tests that a path stands for; without one those in force. */
function underTest(
  context: CommandContext,
  word: string | undefined,
): { files: PolicyFile[]; tests: string[] } {
  if (word === undefined) {
    const own = filesIn(policiesFolder(context.config.dataDirectory), testEndings);
    return { files: inForce(context), tests: [shippedTests, ...own] };
  }
  const path = resolve(context.io.cwd, word);
  if (!isFolder(path)) return { files: inForce(context), tests: [path] };
  const tests = filesIn(path, testEndings);
  if (tests.length > 0) return { files: policyFilesAt(policyPaths(path)), tests };
  const message = `The folder ${path} has no tests; their names end in ${testEndings.join(', ')}.`;
  throw new RuntimeError('POLICY_INVALID', message);
}

function testCommand(host: Host): Command {
  const command = newCommand('test', 'try requests against the policies').argument(
    '[path]',
    'folder of policies and their tests, or a file of tests',
  );
  return onAction(command, host, async (context, { words: [word] }) => {
    const { files, tests } = underTest(context, word);
    const problems = await policyProblems(files);
    if (problems.length > 0) {
      context.output.answer({ passed: 0, failed: 0, problems, tests: [] });
      context.output.print(problems.map(problemText).join('\n'));
      return exitStatus.badInput;
    }
    const set = await openPolicySet(files);
    const reports = tests.flatMap((file) => runPolicyTests(file, readPolicyTests(file), set));
    const failed = reports.filter(({ passed }) => !passed);
    const passed = reports.length - failed.length;
    context.output.answer({ passed, failed: failed.length, problems, tests: reports });
    context.output.print(
      [
        ...failed.map(({ file, name, problem }) => `${file}: ${name}: ${problem}`),
        `${passed} passed, ${failed.length} failed`,
      ].join('\n'),
    );
    return failed.length === 0 ? exitStatus.ok : exitStatus.diverged;
  });
}

interface ExplainOptions {
  readonly principal: string;
  readonly action: string;
  readonly resource?: string;
  readonly clearance?: string;
  readonly label?: string;
  readonly operations?: string;
  readonly egress?: string;
}

const writtenSchema = z.strictObject(writtenRequestShape);

/** `kind:name`, or the name of an agent. */
function principalOf({ principal, clearance, operations, action }: ExplainOptions): object {
  const at = principal.indexOf(':');
  const named = at === -1 ? {} : { kind: principal.slice(0, at) };
  return {
    ...named,
    name: principal.slice(at + 1),
    operations: operations?.split(',') ?? [action],
    ...(clearance === undefined ? {} : { clearance }),
  };
}

function explainCommand(host: Host): Command {
  const command = newCommand('explain', 'what the policies say of one request, and which decide')
    .requiredOption('--principal <who>', 'name of an agent, or KIND:NAME such as pipeline:inbox')
    .requiredOption('--action <operation>', 'such as file.read')
    .option('--resource <what>', 'path of a file, hash of a text or address of a request')
    .option('--clearance <level>', 'of the principal; the lowest unless said')
    .option('--label <level>', 'of what the request is made of; the lowest unless said')
    .option('--operations <list>', 'that its pipeline declares, by commas; the action unless said')
    .option('--egress <state>', 'granted, none or asked, of a request to the outside');
  return onAction<ExplainOptions>(command, host, async (context, { options }) => {
    const { action, resource, label, egress } = options;
    const parsed = writtenSchema.safeParse({
      principal: principalOf(options),
      action,
      ...(resource === undefined ? {} : { resource }),
      context: {
        ...(label === undefined ? {} : { label }),
        ...(egress === undefined ? {} : { egress }),
      },
    });
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const place = issue?.path.map(String).join('.');
      throw new RuntimeError(
        'USAGE',
        `${place}: ${issue?.message}; see claw policy explain --help.`,
      );
    }
    const set = await openPolicySet(inForce(context));
    const request = policyRequest(parsed.data, context.config.clearance?.levels);
    const decision = set.decide(request);
    const deciding = set.policies.filter(({ id }) => decision.policies.includes(id));
    context.output.answer({ request, ...decision });
    context.output.print(
      [
        decision.allow ? 'allow' : 'deny',
        ...(deciding.length === 0 ? ['No policy permits it.'] : []),
        ...deciding.map(({ id, file, text }) => `\n${id} (${file})\n${text}`),
        ...decision.errors,
      ].join('\n'),
    );
    return exitStatus.ok;
  });
}
