/** `claw sandbox exec FILE.js`: one script in a disposable sandbox, here and without a server. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { type ErrorCode, errorCatalogue, exitStatus } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { type Host, integer, newCommand, onAction } from '../command.ts';
import { readScript } from '../script-file.ts';

interface SandboxOptions {
  readonly timeoutMs: number;
  readonly memoryMb: number;
}

export function sandboxCommand(host: Host): Command {
  const exec = newCommand('exec', 'run a script; its completion value is the answer')
    .argument('<file>', 'JavaScript file')
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
    );
  onAction<SandboxOptions>(exec, host, async (context, { words: [file = ''], options }) => {
    const source = readScript(resolve(context.io.cwd, file));
    const sandbox = await context.services.openSandbox(context.config);
    try {
      const { timeoutMs, memoryMb } = options;
      const report = await sandbox.execute({ source, timeoutMs, memoryMb });
      const { ok, usage, layers } = report;
      if (ok) {
        context.output.answer({ ok, value: report.value ?? null, usage, layers });
        context.output.print(JSON.stringify(report.value ?? null, null, 2));
        return exitStatus.ok;
      }
      const error = report.error ?? {
        code: 'SANDBOX_CRASHED',
        message: 'The script gave no answer.',
      };
      context.output.answer({
        ok,
        error: { code: error.code, message: error.message },
        usage,
        layers,
      });
      const sentence = error.message.replace(/\s*\n\s*/g, ' ');
      context.output.notice(`claw: ${sentence} (${error.code})`);
      return errorCatalogue[error.code as ErrorCode]?.exit ?? exitStatus.runFailed;
    } finally {
      await sandbox.close();
    }
  });
  return new Command('sandbox').description('run code in a sandbox').addCommand(exec);
}
