/**
 * Labels of the files of a run's workspace: the highest label of anything that was ever
 * written to each. They lie in a file beside the workspace, one line of JSON for each.
 *
 * Invariants
 *   L1. A label is on the disk before the text that it is of.
 *   L2. A label of a file never falls while the run lasts, so whoever looks after reading
 *       sees one that is at least that of what was read.
 *   L3. No other spelling of a name has another label: they are compared without case.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { highest, type Levels } from '../identity/clearance.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { isJsonObject, type Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';

/** Path as it is compared (L3): file systems that ignore case also compose characters. */
function keyOf(path: string): string {
  return path.normalize('NFC').toLowerCase();
}

function parsedLine(line: string): readonly [string, string] | null {
  try {
    const value = JSON.parse(line) as Json;
    if (!isJsonObject(value)) return null;
    const { path, label } = value;
    return typeof path === 'string' && typeof label === 'string' ? [path, label] : null;
  } catch {
    // A line that a crash cut short: its text was never written (L1).
    return null;
  }
}

export class FileLabels {
  readonly #fileOf: (run: RunId) => string;
  readonly #runs = new Map<RunId, Map<string, string>>();

  /** @param fileOf Where the labels of a run's files lie. */
  constructor(fileOf: (run: RunId) => string) {
    this.#fileOf = fileOf;
  }

  /** The label of what was written to the file, or undefined where nobody of the run wrote to it. */
  labelOf(run: RunId, levels: Levels, path: string): string | undefined {
    return this.#labels(run, levels).get(keyOf(path));
  }

  /**
   * The file is about to have a text with the label (L1, L2).
   * @throws RuntimeError FILE_TOO_LARGE where too many files have labels; the errors of the disk
   */
  raise(run: RunId, levels: Levels, { path, label }: { path: string; label: string }): void {
    const labels = this.#labels(run, levels);
    const key = keyOf(path);
    const known = labels.get(key);
    const next = highest(levels, [known, label]);
    if (known === next) return;
    if (known === undefined && labels.size >= limits.labelledFilesMax) {
      throw new RuntimeError(
        'FILE_TOO_LARGE',
        `More than ${limits.labelledFilesMax} files of the workspace have labels.`,
      );
    }
    const file = openSync(this.#fileOf(run), 'a', 0o600);
    try {
      // A line that was cut short by a crash must not swallow this one.
      writeSync(file, `\n${JSON.stringify({ path: key, label: next })}`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    labels.set(key, next);
  }

  forget(run: RunId): void {
    this.#runs.delete(run);
  }

  #labels(run: RunId, levels: Levels): Map<string, string> {
    const known = this.#runs.get(run);
    if (known !== undefined) return known;
    const labels = new Map<string, string>();
    for (const line of this.#read(run).split('\n')) {
      const found = parsedLine(line);
      if (found === null) continue;
      const [path, label] = found;
      labels.set(path, highest(levels, [labels.get(path), label]));
    }
    this.#runs.set(run, labels);
    return labels;
  }

  #read(run: RunId): string {
    try {
      return readFileSync(this.#fileOf(run), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  }
}
