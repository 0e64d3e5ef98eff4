/** Files beside the segments, read and replaced whole. */
import { join } from 'node:path';
import { errorNumber, type FilePort, readFully, writeFully } from './file-port.ts';

/** Its content, or null when there is none. Throws what the port throws. */
export function tryReadFile(files: FilePort, path: string): Buffer | null {
  let file: number;
  try {
    file = files.open(path, 'r');
  } catch (error) {
    if (errorNumber(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(files.size(file));
    readFully(files, file, bytes, { offset: 0, length: bytes.length, position: 0 });
    return bytes;
  } finally {
    files.close(file);
  }
}

/** The file appears with its whole content, and durably. Throws what the port throws. */
export function replaceFile(files: FilePort, folder: string, name: string, bytes: Buffer): void {
  const temporary = join(folder, `${name}.tmp`);
  if (files.list(folder).includes(`${name}.tmp`)) files.unlink(temporary);
  const file = files.open(temporary, 'wx');
  try {
    writeFully(files, file, bytes, { offset: 0, length: bytes.length, position: 0 });
    files.fdatasync(file);
  } finally {
    files.close(file);
  }
  files.rename(temporary, join(folder, name));
  files.syncFolder(folder);
}
