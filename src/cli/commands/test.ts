/** `claw test`: recorded runs against the machines of this program; `claw test record` makes them. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { withReadOnly } from '../read-only.ts';
import { type CaseReport, caseNames, checkCase, recordCase } from '../recorded-case.ts';
import { replayVerdict } from '../run-summary.ts';

const folderDefault = 'claw-tests';

export function testCommand(host: Host): Command {
  const command = newCommand('test', 'replay recorded runs against the machines of this program')
    .argument('[folder]', `folder of recorded cases (${folderDefault})`)
    .enablePositionalOptions();
  return onAction(command, host, async (context, { words: [folder = folderDefault] }) => {
    const path = resolve(context.io.cwd, folder);
    const reports: CaseReport[] = [];
    for (const name of caseNames(path)) {
      const report = await checkCase(context, path, name);
      reports.push(report);
      context.output.print(text(report));
    }
    const failed = reports.filter((report) => !holds(report)).length;
    context.output.answer({ passed: reports.length - failed, failed, cases: reports });
    context.output.print(`${reports.length - failed} passed, ${failed} failed`);
    return failed === 0 ? exitStatus.ok : exitStatus.diverged;
  }).addCommand(recordCommand(host));
}

interface RecordOptions {
  readonly dir: string;
  readonly name?: string;
}

function recordCommand(host: Host): Command {
  const command = newCommand('record', 'turn an ended run into such a case')
    .argument('<run>', 'id of the run')
    .option('--dir <folder>', 'folder of recorded cases', folderDefault)
    .option('--name <name>', 'name of the case');
  return onAction<RecordOptions>(command, host, async (context, { words: [id = ''], options }) => {
    const run = await withRun(context, id);
    const folder = resolve(context.io.cwd, options.dir);
    const paths = await recordCase(context, run, { folder, name: options.name });
    context.output.answer({ run: run.id, ...paths });
    context.output.print(
      `${paths.archive} and ${paths.facts}; claw test ${options.dir} checks it.`,
    );
    return exitStatus.ok;
  });
}

async function withRun(context: Parameters<typeof withReadOnly>[0], id: string) {
  return withReadOnly(context, async (journal) => journal.run(id));
}

function holds({ changed, replay }: CaseReport): boolean {
  return replay.equal && changed.length === 0;
}

function text(report: CaseReport): string {
  const { name, changed, replay } = report;
  if (holds(report)) return `pass  ${name}, ${replay.events} events`;
  const why = replay.equal
    ? `It is not the run that was recorded: ${changed.join(', ')} differ.`
    : replayVerdict(replay);
  return `FAIL  ${name}\n  ${why.split('\n').join('\n  ')}`;
}
