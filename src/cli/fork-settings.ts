/** What a fork does otherwise, as the command line says it. */
import { resolve } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { FileFault, readTextFile } from './text-file.ts';

export const setHelp = `
Settings of --set, of every agent or, as AGENT.model=…, of one:
  model=NAME          the model that is asked
  temperature=NUMBER  of first attempts
  prompt=TEXT         or prompt=@FILE, a Mustache template; so with system
  outcome=FILE        JSON of what came of the intention in flight, or of an object by key
                      {"status":"completed","value":…}, or "failed" with "error"`;

/**
 * One setting as the runtime takes it: name and value.
 * @param word `NAME=VALUE`
 * @throws RuntimeError FORK_INVALID
 */
export function forkSetting(word: string, cwd: string): [string, Json] {
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
    if (!(cause instanceof FileFault)) throw cause;
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
