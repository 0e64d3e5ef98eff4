/** `claw audit prove`, `check` and `consistency`: proofs to hand to others. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { parseNoteVerifier } from '../identity/note-key.ts';
import { exitStatus, RuntimeError } from '../kernel/errors.ts';
import { type CommandContext, type Host, integer, newCommand, onAction } from './command.ts';
import { readNoteFile, writeNoteFile } from './note-file.ts';

interface ProveOptions {
  readonly event?: string;
  readonly record?: number;
  readonly out?: string;
}

export function proveCommand(host: Host): Command {
  const command = newCommand('prove', 'a proof that a record is in the journal')
    .option('--event <run:sequence>', 'an event of a run, by its number there')
    .option(
      '--record <n>',
      'a record, by its sequence in the journal',
      integer({ min: 1, max: 1e15 }),
    )
    .option('--out <file>', 'write it there instead of printing it');
  return onAction<ProveOptions>(command, host, async (context, { options }) => {
    const { proveRecord, sequenceOfEvent } = await import('../runtime/audit-proof.ts');
    const { dataDirectory } = context.config;
    const { event, record, out } = options;
    if ((event === undefined) === (record === undefined)) {
      throw new RuntimeError('USAGE', 'Give one of --event RUN:SEQUENCE and --record N.');
    }
    const sequence = record ?? sequenceOfEvent(dataDirectory, ...eventOf(event ?? ''));
    const proof = proveRecord(dataDirectory, sequence);
    if (out !== undefined) writeNoteFile(context.io.cwd, out, proof);
    else context.output.write(proof);
    context.output.answer({ record: sequence, ...(out === undefined ? { proof } : { out }) });
    return exitStatus.ok;
  });
}

interface KeyOption {
  readonly key?: string;
}

export function checkCommand(host: Host): Command {
  const command = newCommand('check', 'whether a proof of a record holds; needs no data directory')
    .argument('<proof>', 'file as claw audit prove wrote it')
    .option(
      '--key <file>',
      'public key of the log, log.pub; that of the data directory without it',
    );
  return onAction<KeyOption>(command, host, async (context, { words: [file = ''], options }) => {
    const { checkRecordProof } = await import('../runtime/audit-proof.ts');
    const log = await logKey(context, options);
    const proven = checkRecordProof(readNoteFile(context.io.cwd, file), log);
    const { sequence, type, digest, timeMs, checkpoint } = proven;
    context.output.answer({ holds: true, ...proven });
    context.output.print(
      [
        `record       ${sequence}, ${type}, ${new Date(timeMs).toISOString()}`,
        `digest       ${digest}`,
        `checkpoint   ${checkpoint.size} records of ${checkpoint.origin}`,
        ...checkpoint.cosigned.map((name) => `signature    of ${name}, which was not checked here`),
        'The proof holds: the record was in the journal when the log signed that.',
      ].join('\n'),
    );
    return exitStatus.ok;
  });
}

export function consistencyCommand(host: Host): Command {
  const command = newCommand('consistency', 'whether one checkpoint continues another')
    .argument('<old>', 'a signed note')
    .argument('<new>', 'another one')
    .option(
      '--key <file>',
      'public key of the log, log.pub; that of the data directory without it',
    );
  return onAction<KeyOption>(command, host, async (context, { words, options }) => {
    const { proveGrowth } = await import('../runtime/audit-proof.ts');
    const [older = '', newer = ''] = words;
    const { cwd } = context.io;
    const notes = [readNoteFile(cwd, older), readNoteFile(cwd, newer)] as const;
    const log = await logKey(context, options);
    const growth = proveGrowth(context.config.dataDirectory, [notes[0], notes[1]], log);
    context.output.answer({ holds: true, ...growth });
    context.output.print(
      [
        ...growth.proof,
        `The ${growth.to} records of ${growth.origin} continue its first ${growth.from}.`,
      ].join('\n'),
    );
    return exitStatus.ok;
  });
}

function eventOf(text: string): [run: string, event: number] {
  const [, run = '', digits = ''] = /^(.+):([1-9]\d{0,14})$/.exec(text) ?? [];
  if (run !== '') return [run, Number(digits)];
  throw new RuntimeError(
    'USAGE',
    `--event is RUN:SEQUENCE, as claw events prints it, not ${text}.`,
  );
}

async function logKey({ io, config }: CommandContext, { key }: KeyOption) {
  if (key !== undefined) return parseNoteVerifier(readNoteFile(io.cwd, key).trim());
  const { readLogVerifier } = await import('../identity/log-key.ts');
  const log = readLogVerifier(resolve(config.dataDirectory));
  if (log !== null) return log;
  throw new RuntimeError(
    'AUDIT_KEY_INVALID',
    `${config.dataDirectory} has no log key yet; name the log.pub of the log with --key.`,
  );
}
