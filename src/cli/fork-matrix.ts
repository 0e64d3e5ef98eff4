/** The forks of a grid: every combination of what varies. */
import { RuntimeError } from '../kernel/errors.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { forkSetting } from './fork-settings.ts';

/**
 * @param varied `NAME=VALUE,VALUE`, one for each dimension.
 * @param fixed `NAME=VALUE`, the same in every fork.
 * @returns the settings of each fork; the last dimension varies fastest.
 * @throws RuntimeError FORK_INVALID
 */
export function forkMatrix(
  varied: readonly string[],
  fixed: readonly string[],
  cwd: string,
): JsonObject[] {
  const base = Object.fromEntries(fixed.map((word) => forkSetting(word, cwd)));
  let matrix: JsonObject[] = [base];
  for (const word of varied) {
    const { name, values } = dimension(word);
    if (matrix.some((set) => Object.hasOwn(set, name))) {
      throw new RuntimeError('FORK_INVALID', `${name} is given twice.`);
    }
    if (matrix.length * values.length > limits.gridForksMax) throw tooMany();
    const settings = values.map((value) => forkSetting(`${name}=${value}`, cwd));
    matrix = matrix.flatMap((set) => settings.map(([key, value]) => ({ ...set, [key]: value })));
  }
  return matrix;
}

function dimension(word: string): { name: string; values: readonly string[] } {
  const equals = word.indexOf('=');
  const values = equals < 1 ? [] : word.slice(equals + 1).split(',');
  if (values.length > 0 && !values.includes('')) return { name: word.slice(0, equals), values };
  throw new RuntimeError('FORK_INVALID', `--vary takes NAME=VALUE,VALUE, not ${word}.`);
}

function tooMany(): RuntimeError {
  return new RuntimeError(
    'FORK_INVALID',
    `The grid has more than ${limits.gridForksMax} forks; vary less at once.`,
  );
}
