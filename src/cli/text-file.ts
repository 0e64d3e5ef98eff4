/** A text file that a user names: whole, within a bound, and text. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** Why a file is not the text that was asked for; goes on from "The file PATH …". */
export class TextFileFault extends Error {}

/**
 * Never waits on a pipe and never reads a device without end.
 * @throws TextFileFault when the file is absent, unreadable, no regular file,
 *   larger than `bytesMax`, or not UTF-8.
 */
export function readTextFile(path: string, bytesMax: number): string {
  let bytes: Buffer;
  try {
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const status = fstatSync(file);
      if (!status.isFile()) throw new TextFileFault('is not a regular file; name another');
      if (status.size > bytesMax) {
        throw new TextFileFault(`is larger than ${bytesMax / 1_024} KiB; make it smaller`);
      }
      bytes = readFileSync(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (cause instanceof TextFileFault) throw cause;
    throw new TextFileFault('cannot be read; check the path and its permissions', { cause });
  }
  if (bytes.includes(0)) throw new TextFileFault('has a NUL byte, so it is not text; name another');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TextFileFault('is not UTF-8 text; save it as UTF-8', { cause });
  }
}
