/** The report of a run, from the run's workspace to where the user wants it. */
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunView } from '../runtime/views.ts';

/** Absolute path of the report, or null when the run has written none. */
export function reportPath({ outputs }: RunView): string | null {
  if (outputs === null || typeof outputs.report !== 'string') return null;
  const workspace = typeof outputs.workspace === 'string' ? outputs.workspace : '';
  const path = resolve(workspace, outputs.report);
  return existsSync(path) ? path : null;
}

/**
 * Finds out before the work begins that its result could not be stored.
 * @throws RuntimeError OUTPUT_NOT_WRITABLE
 */
export function assertWritable(path: string): void {
  try {
    const existing = statSync(path, { throwIfNoEntry: false });
    if (existing?.isDirectory()) throw notWritable(path, 'it is a folder');
    if (existing !== undefined) accessSync(path, constants.W_OK);
    const folder = dirname(path);
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      throw notWritable(path, `the folder ${folder} does not exist`);
    }
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    throw notWritable(path, 'permission is denied', cause);
  }
}

/**
 * Copies the report as a whole or not at all.
 * @throws RuntimeError OUTPUT_NOT_WRITABLE
 */
export function copyReport(from: string, to: string): void {
  const temporary = `${to}.${process.pid}.tmp`;
  try {
    copyFileSync(from, temporary);
    renameSync(temporary, to);
  } catch (cause) {
    rmSync(temporary, { force: true });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw notWritable(to, `${reason}; the report remains at ${from}`, cause);
  }
}

function notWritable(path: string, reason: string, cause?: unknown): RuntimeError {
  return new RuntimeError(
    'OUTPUT_NOT_WRITABLE',
    `${path} cannot be written, because ${reason}; choose another path with --out.`,
    { cause },
  );
}
