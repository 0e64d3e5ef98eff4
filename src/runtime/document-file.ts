/**
 * Reads an input file whole, within a bound.
 * Synchronous: it runs on pool threads, which have nothing else to do.
 */

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { RuntimeError } from '../kernel/errors.ts';

/**
 * The bytes of a regular file.
 * @throws RuntimeError DOCUMENT_TOO_LARGE above `bytesMax`; INPUT_NOT_FOUND
 * when it cannot be read or is no regular file.
 */
export function readFileBounded(path: string, bytesMax: number): Buffer {
  return withFile(path, (descriptor) => {
    // One byte more than allowed, because the file may grow after its size was asked.
    const buffer = Buffer.allocUnsafe(bytesMax + 1);
    let length = 0;
    while (length < buffer.length) {
      const read = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (read === 0) break;
      length += read;
    }
    if (length > bytesMax) {
      throw new RuntimeError(
        'DOCUMENT_TOO_LARGE',
        `The document ${path} is larger than ${bytesMax / 1024} KiB; split it or leave it out.`,
      );
    }
    return buffer.subarray(0, length);
  });
}

function withFile<Result>(path: string, use: (descriptor: number) => Result): Result {
  let descriptor: number | null = null;
  try {
    // The path was resolved before, so a link at its end is somebody's swap; a
    // pipe must not keep the thread waiting.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    descriptor = openSync(path, flags);
    if (!fstatSync(descriptor).isFile()) {
      throw new RuntimeError('INPUT_NOT_FOUND', `${path} is not a regular file; leave it out.`);
    }
    return use(descriptor);
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new RuntimeError(
      'INPUT_NOT_FOUND',
      `The file ${path} cannot be read (${reason}); check its permissions or leave it out.`,
      { cause },
    );
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}
