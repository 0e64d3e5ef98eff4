/** `claw sandbox exec FILE`: one script in a disposable sandbox, here and without a server. */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { type ErrorCode, errorCatalogue, exitStatus } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import {
  type ExecutionLimits,
  executionBounds,
  executionLimits,
} from '../../sandbox/execution-limits.ts';
import { FileError } from '../../sandbox/file-error.ts';
import type { Mount } from '../../sandbox/mount.ts';
import { mountFault } from '../../sandbox/mount-budget.ts';
import { OverlayFileSystem } from '../../sandbox/overlay-file-system.ts';
import type { SandboxOutcome } from '../../sandbox/sandbox-outcome.ts';
import { type Language, languages } from '../../sandbox/sandboxes.ts';
import { assertEmptyFolder, writeOutputs } from '../../sandbox/write-outputs.ts';
import {
  type CommandContext,
  collected,
  type Host,
  integer,
  newCommand,
  onAction,
} from '../command.ts';
import { languageOfFile, readInput, readMounts, readSource } from '../sandbox-inputs.ts';

interface SandboxOptions extends Partial<ExecutionLimits> {
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly cpuMs?: number;
  readonly language?: Language;
  readonly input?: string;
  readonly seed?: number;
  readonly time?: number;
  readonly mount?: readonly string[];
  readonly archive?: readonly string[];
  readonly out?: string;
}

const manual = `
A JavaScript or TypeScript script has these globals:
  input     what --input gives
  fs        a file system in memory: readFile(path, 'utf8'?), writeFile, appendFile, readdir, stat,
            mkdir(path, { recursive }), rm(path, { recursive, force }), rename; all give promises
  tools     what it is granted; nothing here
  console   captured
Its value is that of its last expression, awaited. With "export default async function main(input)",
or a function main that it does not call itself, it is what main gives.
A shell or Python script reads the input from standard input; its value is what it writes to
standard output. It runs under bubblewrap or not at all.
What is mounted lies at /docs (or PATH:/place) and is never changed; what is written under /out
may leave, all else is gone afterwards.`;

export function sandboxCommand(host: Host): Command {
  const exec = newCommand('exec', 'run a script; its completion value is the answer')
    .argument('<file>', 'script, by its extension .js, .ts, .sh, .bash or .py; - is standard input')
    .option(
      '--timeout-ms <n>',
      'time at most',
      integer({ min: 1, max: limits.sandboxTimeoutMsMax }),
      limits.sandboxTimeoutMsDefault,
    )
    .option(
      '--memory-mb <n>',
      'memory at most',
      integer({ min: 8, max: limits.sandboxMemoryMbMax }),
      limits.sandboxMemoryMbDefault,
    )
    .option(
      '--cpu-ms <n>',
      'processor time at most',
      integer({ min: 1, max: 2 * limits.sandboxTimeoutMsMax }),
    )
    .addOption(new Option('--language <name>', 'instead of the extension').choices(languages))
    .option('--input <json>', 'JSON, or a file with it')
    .option('--seed <n>', 'of random numbers', integer({ min: 0, max: 0xffff_ffff }))
    .option(
      '--time <ms>',
      'what the script takes for now, since 1970',
      integer({ min: 0, max: 8.64e14 }),
    )
    .option('--mount <dir>', 'folder whose files it can read; again for more', collected)
    .option('--archive <file>', 'tar, tar.gz or zip file likewise', collected)
    .option('--out <dir>', 'new or empty folder for what it leaves under /out');
  for (const [option, description] of [
    ['files', 'files and folders that it makes'],
    ['file-bytes', 'bytes of one file'],
    ['total-bytes', 'bytes of all that it writes'],
    ['output-bytes', 'bytes of what may leave'],
    ['message-bytes', 'bytes of one call of fs'],
    ['calls', 'calls of fs and tools'],
  ] as const) {
    const name = option.replace(/-b/, 'B') as keyof ExecutionLimits;
    const { least, most } = executionBounds[name];
    exec.option(`--${option} <n>`, `${description}, at most`, integer({ min: least, max: most }));
  }
  exec.addHelpText('after', manual);
  onAction<SandboxOptions>(exec, host, async (context, { words: [file = ''], options }) =>
    execute(context, file, options),
  );
  return new Command('sandbox').description('run code in a sandbox').addCommand(exec);
}

async function execute(
  context: CommandContext,
  file: string,
  options: SandboxOptions,
): Promise<number> {
  const { cwd } = context.io;
  const out = options.out === undefined ? null : resolve(cwd, options.out);
  if (out !== null) assertEmptyFolder(out);
  const own = givenLimits(options);
  const input = options.input === undefined ? undefined : readInput(cwd, options.input);
  const { mounts, leftOut } = await readMounts(cwd, {
    folders: options.mount ?? [],
    archives: options.archive ?? [],
  });
  const fileSystem = mounted(mounts, own);
  const source = await readSource(context.io, file);
  const language = options.language ?? languageOfFile(file);
  const sandbox = await context.services.openSandbox(context.config);
  try {
    const outcome = await sandbox.execute({
      source,
      language,
      input,
      seed: options.seed,
      timeMs: options.time,
      timeoutMs: options.timeoutMs,
      cpuMs: options.cpuMs,
      memoryMb: options.memoryMb,
      limits: own,
      fileSystem,
    });
    if (outcome.ok && out !== null) writeOutputs(out, fileSystem.outputs());
    return report(context, outcome, { language, leftOut });
  } finally {
    await sandbox.close();
  }
}

function givenLimits(options: SandboxOptions): ExecutionLimits {
  const { files, fileBytes, totalBytes, outputBytes, messageBytes, calls } = options;
  const own = executionLimits({ files, fileBytes, totalBytes, outputBytes, messageBytes, calls });
  // Each was parsed within its bounds.
  if (typeof own === 'string') throw new TypeError(own);
  return own;
}

function mounted(mounts: readonly Mount[], own: ExecutionLimits): OverlayFileSystem {
  try {
    return new OverlayFileSystem({ mounts, limits: own });
  } catch (cause) {
    if (!(cause instanceof FileError)) throw cause;
    throw mountFault(`What is mounted does not go together: ${cause.message}.`, cause);
  }
}

function report(
  { output }: CommandContext,
  outcome: SandboxOutcome,
  { language, leftOut }: { readonly language: Language; readonly leftOut: readonly string[] },
): number {
  const { ok, usage, layers, console = '', lines = [], files = [] } = outcome;
  for (const entry of leftOut) output.notice(`claw: not mounted: ${JSON.stringify(entry)}`);
  // What a shell or Python script printed is its value as well.
  if (console !== '' && (!ok || language === 'js' || language === 'ts'))
    output.notice(console.replace(/\n$/, ''));
  const printed = { console, lines };
  const mounts = leftOut.length === 0 ? {} : { leftOut };
  if (ok) {
    const value = outcome.value ?? null;
    output.answer({ ok, value, ...printed, files, ...mounts, usage, layers });
    const isText = language !== 'js' && language !== 'ts' && typeof value === 'string';
    output.print(isText ? value.replace(/\n$/, '') : JSON.stringify(value, null, 2));
    return exitStatus.ok;
  }
  const { code, message } = outcome.error ?? {
    code: 'SANDBOX_CRASHED' as const,
    message: 'The script gave no answer.',
  };
  output.answer({ ok, error: { code, message }, ...printed, ...mounts, usage, layers });
  output.notice(`claw: ${message.replace(/\s*\n\s*/g, ' ')} (${code})`);
  return errorCatalogue[code as ErrorCode]?.exit ?? exitStatus.runFailed;
}
