/**
 * The `claw` command. Its commands are one file each in `commands/`; this one
 * puts them together and turns whatever happens into one exit status.
 */
import { Command } from 'commander';
import { exitStatus } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { productVersion } from '../runtime/version.ts';
import type { Host } from './command.ts';
import { accessCommand } from './commands/access.ts';
import { approveCommand } from './commands/approve.ts';
import { auditCommand } from './commands/audit.ts';
import { backupCommand } from './commands/backup.ts';
import { cancelCommand } from './commands/cancel.ts';
import { contextCommand } from './commands/context.ts';
import { diffCommand } from './commands/diff.ts';
import { doctorCommand } from './commands/doctor.ts';
import { effectsCommand } from './commands/effects.ts';
import { eventsCommand } from './commands/events.ts';
import { forkCommand } from './commands/fork.ts';
import { generateCommand } from './commands/generate.ts';
import { grantCommand } from './commands/grant.ts';
import { gridCommand } from './commands/grid.ts';
import { journalCommand } from './commands/journal.ts';
import { keyCommand } from './commands/key.ts';
import { modelsCommand } from './commands/models.ts';
import { policyCommand } from './commands/policy.ts';
import { quarantineCommand } from './commands/quarantine.ts';
import { releaseCommand } from './commands/release.ts';
import { replayCommand } from './commands/replay.ts';
import { resolveCommand } from './commands/resolve.ts';
import { routeCommand } from './commands/route.ts';
import { runCommand } from './commands/run.ts';
import { runsCommand } from './commands/runs.ts';
import { sandboxCommand } from './commands/sandbox.ts';
import { secretCommand } from './commands/secret.ts';
import { superviseCommand } from './commands/supervise.ts';
import { testCommand } from './commands/test.ts';
import { tokenCommand } from './commands/token.ts';
import { topCommand } from './commands/top.ts';
import { upCommand } from './commands/up.ts';
import { witnessCommand } from './commands/witness.ts';
import { reportFailure } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { Output } from './output.ts';
import { realServices, type Services } from './services.ts';

const exitMeanings: Record<keyof typeof exitStatus, string> = {
  ok: 'done',
  unexpected: 'a fault inside',
  badInput: 'wrong usage or input',
  diverged: 'a replay diverged, or two runs differ',
  environment: 'something around it is missing, taken or full',
  dataDamaged: 'the data directory is damaged or of a newer version',
  runFailed: 'a run, a generation or a script failed',
  interrupted: 'interrupted, as by Ctrl-C',
};

const exitHelp = `
Exit status:
${Object.entries(exitStatus)
  .map(
    ([name, status]) =>
      `  ${String(status).padEnd(3)}  ${exitMeanings[name as keyof typeof exitStatus]}`,
  )
  .join('\n')}
docs/errors.md lists every error code.`;

/**
 * Runs one command.
 * @param words the command line without the program
 * @returns the exit status; never throws
 */
export async function claw(
  words: readonly string[],
  io: Io = processIo,
  services: Services = realServices,
): Promise<number> {
  const flags = words.slice(0, words.includes('--') ? words.indexOf('--') : undefined);
  const output = new Output(io, { json: flags.includes('--json') });
  let status: number = exitStatus.ok;
  const host: Host = {
    io,
    output,
    services,
    finish: (value) => {
      status = value;
    },
  };
  try {
    // Whoever types the name alone asks what it can do.
    const line = words.length === 0 ? ['--help'] : words;
    await newProgram(host).parseAsync(line, { from: 'user' });
    return status;
  } catch (error) {
    return reportFailure(error, output, flags.includes('--debug'));
  }
}

function newProgram(host: Host): Command {
  const program = new Command('claw')
    .description('OpenClaw: a local-first runtime for agents whose every decision can be replayed')
    .version(productVersion, '--version')
    // Commands of commands have options of the same names.
    .enablePositionalOptions()
    .addHelpText('after', exitHelp);
  const make = [
    upCommand,
    runCommand,
    runsCommand,
    eventsCommand,
    effectsCommand,
    resolveCommand,
    releaseCommand,
    contextCommand,
    replayCommand,
    testCommand,
    superviseCommand,
    diffCommand,
    forkCommand,
    gridCommand,
    journalCommand,
    auditCommand,
    witnessCommand,
    policyCommand,
    backupCommand,
    cancelCommand,
    generateCommand,
    sandboxCommand,
    tokenCommand,
    approveCommand,
    grantCommand,
    keyCommand,
    secretCommand,
    quarantineCommand,
    topCommand,
    modelsCommand,
    routeCommand,
    accessCommand,
    doctorCommand,
  ];
  for (const command of make) program.addCommand(command(host));
  for (const command of [program, ...program.commands.flatMap(withChildren)]) {
    command
      .exitOverride()
      .allowExcessArguments(false)
      // Only help is written by commander; errors are reported once, by us.
      .configureOutput({
        writeOut: (text) => host.io.stdout.write(text),
        writeErr: (text) => host.io.stderr.write(text),
        outputError: () => undefined,
      });
  }
  return program;
}

function withChildren(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withChildren)];
}

/** The command line of this process, to its end. */
export async function main(): Promise<void> {
  // `claw events … | head` closes the pipe; there is nobody left to write to.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitStatus.ok : exitStatus.unexpected);
  });
  process.exitCode = await claw(process.argv.slice(2));
  // Nothing should keep the process now; what does must not keep it for ever.
  setTimeout(() => process.exit(), limits.shutdownMsMax).unref();
}
