/** A file that a user names: whole and within a bound, and of text that it is text. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** Why a file is not what was asked for; goes on from "The file PATH …". */
export class FileFault extends Error {}

/**
 * The bytes of a file. Never waits on a pipe and never reads a device without end.
 * @throws FileFault when the file is absent, unreadable, no regular file, or larger than `bytesMax`.
 */
export function readBounded(path: string, bytesMax: number): Buffer {
  try {
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const status = fstatSync(file);
      if (!status.isFile()) throw new FileFault('is not a regular file; name another');
      if (status.size > bytesMax) {
        throw new FileFault(`is larger than ${bytesMax / 1_024} KiB; make it smaller`);
      }
      return readFileSync(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (cause instanceof FileFault) throw cause;
    throw new FileFault('cannot be read; check the path and its permissions', { cause });
  }
}

/** @throws FileFault as `readBounded`, and when the file is not UTF-8 text. */
export function readTextFile(path: string, bytesMax: number): string {
  const bytes = readBounded(path, bytesMax);
  if (bytes.includes(0)) throw new FileFault('has a NUL byte, so it is not text; name another');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FileFault('is not UTF-8 text; save it as UTF-8', { cause });
  }
}
