/**
 * `claw fork`: a run that begins with the first events of another one and goes
 * on by itself, with something changed or not.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import type { Json, JsonObject } from '../../kernel/json.ts';
import { limits } from '../../kernel/limits.ts';
import { collected, type Host, integer, newCommand, onAction } from '../command.ts';
import { followToEnd, reportRun } from '../follow-run.ts';
import { assertWritable } from '../report-file.ts';
import { openRunTarget } from '../run-target.ts';
import { readTextFile, TextFileFault } from '../text-file.ts';

interface ForkOptions {
  readonly at: number;
  readonly set?: readonly string[];
  readonly allowEffects?: boolean;
  readonly out?: string;
}

const setHelp = `
Settings of --set, of every agent or, as AGENT.model=…, of one:
  model=NAME          the model that is asked
  temperature=NUMBER  of first attempts
  prompt=TEXT         or prompt=@FILE, a Mustache template; so with system
  outcome=FILE        JSON of what came of the intention in flight, or of an object by key
                      {"status":"completed","value":…}, or "failed" with "error"`;

export function forkCommand(host: Host): Command {
  const command = newCommand('fork', 'go on from an event of a run, as a new run')
    .argument('<run>', 'id of the run')
    .requiredOption(
      '--at <event>',
      'its last event that is shared',
      integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    )
    .option('--set <name=value>', 'what is another from there on; may be repeated', collected)
    .option('--allow-effects', 'perform effects that reach outside the files of the run')
    .option('--out <file>', 'where the report is copied')
    .addHelpText('after', setHelp);
  return onAction<ForkOptions>(command, host, async (context, { words: [id = ''], options }) => {
    const { cwd } = context.io;
    const out = options.out === undefined ? null : resolve(cwd, options.out);
    if (out !== null) assertWritable(out);
    const set = settings(options.set ?? [], cwd);
    const { at, allowEffects = false } = options;
    const target = await openRunTarget(context);
    try {
      const started = await target.fork(id, { at, set, allowEffects });
      const run = await followToEnd(context, target, started);
      if (run !== null) return reportRun(context, run, out);
      context.output.answer(started);
      return exitStatus.interrupted;
    } finally {
      await target.close();
    }
  });
}

/**
 * The settings as the runtime takes them.
 * @throws RuntimeError FORK_INVALID
 */
function settings(words: readonly string[], cwd: string): JsonObject {
  return Object.fromEntries(words.map((word) => setting(word, cwd)));
}

function setting(word: string, cwd: string): [string, Json] {
  const equals = word.indexOf('=');
  if (equals < 1) throw new RuntimeError('FORK_INVALID', `--set takes NAME=VALUE, not ${word}.`);
  const [name, text] = [word.slice(0, equals), word.slice(equals + 1)];
  if (name === 'outcome') return [name, jsonFile(resolve(cwd, text))];
  if (name === 'temperature' || name.endsWith('.temperature')) return [name, numberOf(text)];
  return [name, text.startsWith('@') ? textOf(resolve(cwd, text.slice(1))) : text];
}

function numberOf(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new RuntimeError('FORK_INVALID', `A temperature is a number, not ${text}.`);
}

function textOf(path: string): string {
  try {
    return readTextFile(path, limits.pipelineBytesMax);
  } catch (cause) {
    if (!(cause instanceof TextFileFault)) throw cause;
    throw new RuntimeError('FORK_INVALID', `The file ${path} ${cause.message}.`, { cause });
  }
}

function jsonFile(path: string): Json {
  const text = textOf(path);
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new RuntimeError('FORK_INVALID', `The file ${path} is not JSON.`, { cause });
  }
}
