/** `claw audit export`: what the journal tells others, in lines of OCSF or CloudEvents. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { exitStatus, RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type AuditFormat, auditFormats } from '../runtime/audit-export-format.ts';
import { exportTargetProblem, sendLines } from '../runtime/audit-export-target.ts';
import { type Host, integer, newCommand, onAction } from './command.ts';

interface ExportOptions {
  readonly format: AuditFormat;
  readonly to: string;
  readonly from: number;
  readonly follow?: boolean;
}

const help = `
TO is a file, to which lines are added, syslog:HOST:PORT (UDP), syslog+tcp:HOST:PORT,
or an http or https address, to which they are posted. No prompt and no text goes out.
A server exports by itself with audit.export in its configuration, and remembers how far.`;

export function exportCommand(host: Host): Command {
  const command = newCommand('export', 'tell others what was done and refused')
    .addOption(
      new Option('--format <format>', 'of the lines').choices(auditFormats).makeOptionMandatory(),
    )
    .requiredOption('--to <to>', 'file, syslog:HOST:PORT, syslog+tcp:HOST:PORT or address')
    .option('--from <sequence>', 'first record', integer({ min: 1, max: 1e15 }), 1)
    .option('--follow', 'go on until interrupted')
    .addHelpText('after', help);
  return onAction<ExportOptions>(command, host, async ({ io, config, output }, { options }) => {
    const { format, from, follow = false } = options;
    const to = /^(syslog|https?:)/.test(options.to) ? options.to : resolve(io.cwd, options.to);
    const problem = exportTargetProblem(to);
    if (problem !== null) throw new RuntimeError('USAGE', `--to: ${problem}.`);
    const [{ readExportBatch }, { originOf }, { checkDataDirectory }] = await Promise.all([
      import('../runtime/export-batch.ts'),
      import('../runtime/audit-exports.ts'),
      import('../journal/data-directory.ts'),
    ]);
    const { dataDirectory } = config;
    checkDataDirectory(dataDirectory);
    const stop = new AbortController();
    const release = io.onSignal(() => stop.abort());
    let [last, lines] = [from - 1, 0];
    try {
      for (;;) {
        const origin = originOf(dataDirectory);
        const request = { dataDirectory, after: last, until: null, format, origin };
        const batch = readExportBatch(request);
        if (batch.lines.length > 0) await sendLines(to, format, batch.lines, stop.signal);
        lines += batch.lines.length;
        const isEnd = batch.last === last;
        last = batch.last;
        if (stop.signal.aborted || (isEnd && !follow)) break;
        if (isEnd) await pause(stop.signal);
      }
    } finally {
      release();
    }
    output.answer({ to, format, lines, last });
    output.print(`${lines} lines, up to record ${last}; go on with --from ${last + 1}.`);
    return exitStatus.ok;
  });
}

function pause(signal: AbortSignal): Promise<void> {
  return sleep(limits.auditExportPollMs, undefined, { signal }).catch(() => undefined);
}
