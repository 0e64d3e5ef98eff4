/** `claw audit`: whether the journal is what it was, proofs of it, and what others are told. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { parseNoteVerifier } from '../../identity/note-key.ts';
import { systemClock } from '../../kernel/clock.ts';
import { exitStatus } from '../../kernel/errors.ts';
import { exportCommand } from '../audit-export-command.ts';
import { checkCommand, consistencyCommand, proveCommand } from '../audit-proof-commands.ts';
import { auditText, checkpointText } from '../audit-report.ts';
import { type CommandContext, type Host, integer, newCommand, onAction } from '../command.ts';
import { findServer } from '../connect.ts';
import { readNoteFile, writeNoteFile } from '../note-file.ts';

export function auditCommand(host: Host): Command {
  const command = new Command('audit').description(
    'prove what was done, and that nothing was changed',
  );
  const parts = [
    verifyCommand,
    takeCommand,
    proveCommand,
    checkCommand,
    consistencyCommand,
    requestCommand,
    cosignedCommand,
    exportCommand,
    restartCommand,
  ];
  for (const part of parts) command.addCommand(part(host));
  return command;
}

interface VerifyOptions {
  readonly witness?: string;
  readonly witnessKey?: string;
}

function verifyCommand(host: Host): Command {
  const command = newCommand(
    'verify',
    'check journal, leaves, checkpoints and keys; changes nothing',
  )
    .option('--witness <path>', 'folder of a witness, or a note that it cosigned')
    .option('--witness-key <file>', 'witness.pub, for a note');
  return onAction<VerifyOptions>(command, host, async ({ config, io, output }, { options }) => {
    const { verifyAudit } = await import('../../runtime/audit-verification.ts');
    const configured = config.audit?.witness?.publicKey;
    const named =
      options.witnessKey === undefined
        ? undefined
        : parseNoteVerifier(readNoteFile(io.cwd, options.witnessKey).trim()).text;
    const source =
      options.witness === undefined
        ? null
        : { path: resolve(io.cwd, options.witness), publicKey: named ?? configured ?? null };
    const trusted = [named, configured].filter((key) => key !== undefined);
    const found = verifyAudit(config.dataDirectory, source, trusted);
    output.answer(found);
    output.print(auditText(found));
    return found.ok ? exitStatus.ok : exitStatus.dataDamaged;
  });
}

function takeCommand(host: Host): Command {
  const command = newCommand(
    'checkpoint',
    'sign what is new, and have the witness cosign it',
  ).option('--out <file>', 'write the signed note there too');
  return onAction<{ readonly out?: string }>(
    command,
    host,
    async (context, { options: { out } }) => {
      const server = await findServer(context);
      const report = server === null ? await takeHere(context) : await server.checkpoint();
      if (out !== undefined && report.note !== null)
        writeNoteFile(context.io.cwd, out, report.note);
      context.output.answer(report);
      context.output.print(checkpointText(report));
      return report.witness?.cosigned === false ? exitStatus.environment : exitStatus.ok;
    },
  );
}

/** As the server would, for a data directory that nobody else owns. */
async function takeHere({ config, output }: CommandContext) {
  const [{ openDataDirectory }, { AuditService }, { JournalFollower }, { recover }] =
    await Promise.all([
      import('../../journal/data-directory.ts'),
      import('../../runtime/audit-service.ts'),
      import('../../runtime/journal-follower.ts'),
      import('../../journal/recovery.ts'),
    ]);
  const data = openDataDirectory(config.dataDirectory, systemClock.nowMs());
  try {
    recover(data.path);
    const follower = new JournalFollower(data.path);
    follower.advance();
    const onNotice = (text: string) => output.notice(text);
    const service = new AuditService({ config, follower, onNotice });
    try {
      return await service.checkpoint();
    } finally {
      await service.stop(false);
      follower.close();
    }
  } finally {
    data.release();
  }
}

interface RequestOptions {
  readonly old: number;
  readonly out?: string;
}

function requestCommand(host: Host): Command {
  const command = newCommand(
    'request',
    'what to ask a witness for the newest checkpoint, as a file',
  )
    .option(
      '--old <size>',
      'records that the witness has cosigned; claw witness show tells',
      integer({ min: 0, max: 1e15 }),
      0,
    )
    .option('--out <file>', 'write it there instead of printing it');
  return onAction<RequestOptions>(command, host, async (context, { options: { old, out } }) => {
    const [{ witnessRequest }, { checkpointsOf }] = await Promise.all([
      import('../../runtime/witness-round.ts'),
      import('../../runtime/take-checkpoint.ts'),
    ]);
    const { dataDirectory } = context.config;
    const size = checkpointsOf(dataDirectory).sizes().at(-1) ?? 0;
    const text = witnessRequest({ dataDirectory, old, size, frontier: null });
    if (out === undefined) context.output.write(text);
    else writeNoteFile(context.io.cwd, out, text);
    context.output.answer({ old, size, ...(out === undefined ? { request: text } : { out }) });
    return exitStatus.ok;
  });
}

function cosignedCommand(host: Host): Command {
  const command = newCommand('cosigned', 'keep a note that a witness cosigned as a file')
    .argument('<note>', 'as claw witness cosign wrote it')
    .requiredOption('--witness-key <file>', 'its witness.pub');
  return onAction<{ readonly witnessKey: string }>(
    command,
    host,
    async ({ config, io, output }, { words: [file = ''], options: { witnessKey } }) => {
      const [{ openDataDirectory }, { keepCosignedNote }] = await Promise.all([
        import('../../journal/data-directory.ts'),
        import('../../runtime/witness-round.ts'),
      ]);
      const note = readNoteFile(io.cwd, file);
      const key = readNoteFile(io.cwd, witnessKey).trim();
      const data = openDataDirectory(config.dataDirectory, systemClock.nowMs());
      try {
        const size = keepCosignedNote(data.path, note, key);
        output.answer({ size });
        output.print(`The checkpoint of ${size} records is cosigned.`);
      } finally {
        data.release();
      }
      return exitStatus.ok;
    },
  );
}

const restartHelp = `
For a data directory that was restored from a copy, or repaired: its old checkpoints can
never be continued. They are kept beside it. Every witness must be told the new log.pub.`;

function restartCommand(host: Host): Command {
  const command = newCommand('restart', 'begin a new log on the same journal').addHelpText(
    'after',
    restartHelp,
  );
  return onAction(command, host, async ({ config, output }) => {
    const [{ openDataDirectory }, { restartAudit }] = await Promise.all([
      import('../../journal/data-directory.ts'),
      import('../../runtime/restart-audit.ts'),
    ]);
    const nowMs = systemClock.nowMs();
    const data = openDataDirectory(config.dataDirectory, nowMs);
    try {
      const restarted = restartAudit(data.path, nowMs);
      output.answer(restarted);
      output.print(
        `${restarted.before.origin} ended with ${restarted.before.size} records and is kept in ${restarted.kept}; the log is now ${restarted.origin}, with ${restarted.size} records.`,
      );
    } finally {
      data.release();
    }
    return exitStatus.ok;
  });
}
