/**
 * `claw resolve KEY`: says what came of an effect that must not be repeated,
 * where a crash has left it open. The run goes on with that.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { limits } from '../../kernel/limits.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { findServer } from '../connect.ts';
import { followToEnd, reportRun } from '../follow-run.ts';
import { withReadOnly } from '../read-only.ts';
import { openRunTarget } from '../run-target.ts';
import { FileFault, readTextFile } from '../text-file.ts';

interface ResolveOptions {
  readonly outcome: string;
  readonly reason?: string;
}

const help = `
Outcomes:
  done       it happened
  failed     it did not happen
  FILE       JSON of the outcome: {"status":"completed","value":…}

Where no server runs, the run goes on here to its end.`;

export function resolveCommand(host: Host): Command {
  const command = newCommand('resolve', 'say what came of an effect whose outcome is unknown')
    .argument('<key>', 'key of the effect, as claw effects prints it')
    .requiredOption('--outcome <outcome>', 'done, failed, or a JSON file')
    .option('--reason <text>', 'why, for those who read the journal later')
    .addHelpText('after', help);
  return onAction<ResolveOptions>(
    command,
    host,
    async (context, { words: [key = ''], options: { outcome: given, reason } }) => {
      const id = runOfKey(key);
      const outcome = outcomeOf(given, context.io.cwd);
      // A runtime is not worth starting for a run that is not there.
      if ((await findServer(context)) === null) {
        await withReadOnly(context, async (journal) => journal.run(id));
      }
      const target = await openRunTarget(context);
      try {
        const request = { key, outcome, ...(reason === undefined ? {} : { reason }) };
        const effect = await target.resolve(id, request);
        context.output.notice(`The effect ${key} is ${effect.status}.`);
        if (target.outlives) {
          context.output.answer(effect);
          return exitStatus.ok;
        }
        const run = await followToEnd(context, target, { id });
        return run === null ? exitStatus.interrupted : reportRun(context, run, null);
      } finally {
        await target.close();
      }
    },
  );
}

function runOfKey(key: string): string {
  const [id = '', ...rest] = key.split(':');
  if (id !== '' && rest.length > 0) return id;
  throw new RuntimeError(
    'EFFECT_NOT_FOUND',
    `${key} is no key of an effect; claw effects RUN lists them.`,
  );
}

function outcomeOf(given: string, cwd: string): 'done' | 'failed' | JsonObject {
  if (given === 'done' || given === 'failed') return given;
  const path = resolve(cwd, given);
  try {
    return JSON.parse(readTextFile(path, limits.pipelineBytesMax)) as JsonObject;
  } catch (cause) {
    const why = cause instanceof FileFault ? cause.message : 'is not JSON';
    const message = `The outcome is done, failed or a file; the file ${path} ${why}.`;
    throw new RuntimeError('OUTCOME_INVALID', message, { cause });
  }
}
