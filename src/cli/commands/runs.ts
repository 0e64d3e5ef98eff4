/** `claw runs`: every run of the data directory, read beside a live server. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import type { ArchiveReport } from '../../runtime/run-archive.ts';
import type { RunView } from '../../runtime/views.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { findServer } from '../connect.ts';
import { withReadOnly } from '../read-only.ts';
import { showCommand } from './runs-show.ts';

export function runsCommand(host: Host): Command {
  // Each command reads the options behind its own name.
  return listCommand(host)
    .enablePositionalOptions()
    .addCommand(showCommand(host))
    .addCommand(exportCommand(host))
    .addCommand(importCommand(host))
    .addCommand(removeCommand(host));
}

interface ExportOptions {
  readonly redact?: true | readonly string[];
  readonly redactRules?: string;
}

const redactHelp = `
--redact stands behind FILE. It replaces e-mail addresses, keys and tokens, account, card and
telephone numbers, and whatever matches the regular expressions behind it, by texts of the
same shape, the same one everywhere. The run is told again over these texts, so that it
replays; where it would decide otherwise, nothing is written. What no rule matches stays.
A run that is a fork is written with those that it is a fork of, all of them redacted.

FILE of --redact-rules is YAML or JSON:
  patterns: { project: 'Project \\w+' }   regular expressions, each with a name
  fields: [customer]                      texts of these properties, wherever they stand
  common: false                           not the common rules`;

function exportCommand(host: Host): Command {
  const command = newCommand('export', 'write an ended run into one file, to replay it elsewhere')
    .argument('<run>', 'id of the run')
    .argument('<file>', 'new file')
    .option('--redact [pattern...]', 'replace sensitive texts, and what these patterns match')
    .option('--redact-rules <file>', 'redact by the rules of this file')
    .addHelpText('after', redactHelp);
  return onAction<ExportOptions>(command, host, async (context, { words, options }) => {
    const { redact, redactRules } = options;
    const { services, config, output, io } = context;
    const [run = '', file = ''] = words;
    const patterns = redact === true || redact === undefined ? [] : redact;
    const rulesFile = redactRules === undefined ? null : resolve(io.cwd, redactRules);
    const redaction = redact === undefined && rulesFile === null ? null : { patterns, rulesFile };
    const target = resolve(io.cwd, file);
    const report = await services.exportRun(config.dataDirectory, run, target, redaction);
    output.answer(report);
    for (const [rule, count] of Object.entries(report.redacted ?? {})) {
      output.print(`redacted     ${rule}: ${count} different texts`);
    }
    output.print(`${archiveText(report)} are in ${file}.`);
    return exitStatus.ok;
  });
}

function importCommand(host: Host): Command {
  const command = newCommand('import', 'add the run of such a file').argument('<file>', 'the file');
  return onAction(
    command,
    host,
    async ({ services, config, output, io }, { words: [file = ''] }) => {
      const report = await services.importRun(config.dataDirectory, resolve(io.cwd, file));
      output.answer(report);
      output.print(`${archiveText(report)} were added; claw replay ${report.run} replays it.`);
      return exitStatus.ok;
    },
  );
}

interface RemoveOptions {
  readonly forks?: true;
  readonly yes?: true;
}

const removeHelp = `
The keys that the run's events and texts are encrypted with are overwritten and removed, and
its workspace too, so that nobody can read the run any more. What stays in the journal
is counts, times, names of actors and digests of encrypted bytes. Copies that were made before,
by claw backup or claw runs export, keep what they hold.`;

function removeCommand(host: Host): Command {
  const command = newCommand('rm', 'erase an ended run for good')
    .argument('<run>', 'id of the run')
    .option('--forks', 'also the runs that begin with its events')
    .option('--yes', 'erase it; without this nothing is done')
    .addHelpText('after', removeHelp);
  return onAction<RemoveOptions>(command, host, async (context, { words, options }) => {
    const { services, config, output } = context;
    const [run = ''] = words;
    if (options.yes !== true) {
      const message = `The run ${run} would be gone for good; say claw runs rm ${run} --yes.`;
      throw new RuntimeError('USAGE', message);
    }
    const forks = options.forks === true;
    const server = await findServer(context);
    const report =
      server === null
        ? await services.eraseRun(config.dataDirectory, run, forks)
        : await server.erase(run, forks);
    output.answer(report);
    for (const id of report.erased) output.print(`The run ${id} is erased.`);
    return exitStatus.ok;
  });
}

function archiveText({ run, events, texts }: ArchiveReport): string {
  return `The run ${run}, ${events} events and ${texts} texts`;
}

function listCommand(host: Host): Command {
  return onAction(newCommand('runs', 'list the runs'), host, (context) =>
    withReadOnly(context, async (journal) => {
      const runs = journal.runs();
      context.output.answer({ runs });
      const { dataDirectory } = context.config;
      context.output.print(
        runs.length === 0
          ? `No runs yet in ${dataDirectory}.`
          : alignedRows([header, ...runs.map(cells)]).join('\n'),
      );
      return exitStatus.ok;
    }),
  );
}

const header: readonly string[] = ['RUN', 'STATUS', 'STARTED', 'STEPS', 'PIPELINE'];

function cells({ id, createdAt, pipeline, progress, ...run }: RunView): string[] {
  const status = run.compacted ? `${run.status} (compacted)` : run.status;
  const steps = `${progress.stepsDone}/${progress.stepsTotal}`;
  return [id, status, new Date(createdAt).toISOString(), steps, pipeline];
}
