/**
 * Puts the files that leave an execution into a folder of the host.
 *
 * Invariants
 *   W1. The folder is new or empty, and becomes what it is in one step: a
 *       fault leaves nothing behind and nothing is ever overwritten.
 *   W2. Each name is one name of an `OverlayPath`, and each file and folder is
 *       made here: nothing that was there before is opened, so no link is
 *       followed.
 */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { OverlayPath } from './overlay-path.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;

/**
 * Finds out beforehand whether outputs can go there (W1).
 * @throws RuntimeError OUTPUT_NOT_WRITABLE
 */
export function assertEmptyFolder(folder: string): void {
  try {
    if (statSync(folder, { throwIfNoEntry: false }) === undefined) {
      statSync(join(folder, '..'));
      return;
    }
    if (readdirSync(folder).length === 0) return;
  } catch (cause) {
    throw notWritable(folder, 'it is no folder, or its parent is not there', cause);
  }
  throw notWritable(folder, 'it is not empty');
}

/** @throws RuntimeError OUTPUT_NOT_WRITABLE */
export function writeOutputs(
  folder: string,
  outputs: readonly { readonly path: OverlayPath; readonly bytes: Buffer }[],
): void {
  assertEmptyFolder(folder);
  const whole = resolve(folder);
  const temporary = `${whole}.${process.pid}.tmp`;
  try {
    mkdirSync(temporary);
    for (const { path, bytes } of outputs) writeOne(temporary, path, bytes);
    renameSync(temporary, whole);
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw notWritable(folder, reason, cause);
  }
}

function writeOne(folder: string, path: OverlayPath, bytes: Buffer): void {
  let place = folder;
  for (const [index, name] of path.entries()) {
    assert(name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name), 'one name'); // (W2)
    place = join(place, name);
    if (index < path.length - 1) mkdirSync(place, { recursive: true });
  }
  const file = openSync(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  } finally {
    closeSync(file);
  }
}

function notWritable(folder: string, reason: string, cause?: unknown): RuntimeError {
  return new RuntimeError(
    'OUTPUT_NOT_WRITABLE',
    `The outputs cannot go to ${folder}, because ${reason}; name a folder that is new or empty.`,
    { cause },
  );
}
