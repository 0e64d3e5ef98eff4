/** A small file of the audit that a user names: a note, a proof, a request, a key. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { FileFault, readTextFile } from './text-file.ts';

/** @throws RuntimeError AUDIT_NOTE_INVALID */
export function readNoteFile(cwd: string, name: string): string {
  const path = resolve(cwd, name);
  try {
    return readTextFile(path, limits.auditNoteBytesMax);
  } catch (cause) {
    const why = cause instanceof FileFault ? cause.message : String(cause);
    throw new RuntimeError('AUDIT_NOTE_INVALID', `The file ${path} ${why}.`, { cause });
  }
}

/** @returns its absolute path @throws RuntimeError OUTPUT_NOT_WRITABLE */
export function writeNoteFile(cwd: string, name: string, text: string): string {
  const path = resolve(cwd, name);
  try {
    writeFileSync(path, text, { mode: 0o600, flush: true });
    return path;
  } catch (cause) {
    const message = `${path} cannot be written; choose another, or make its folder writable.`;
    throw new RuntimeError('OUTPUT_NOT_WRITABLE', message, { cause });
  }
}
