/**
 * What an operation on the file system of a script refuses with. The script
 * gets an Error with the same code, as Node.js would throw it.
 */

/** POSIX names, as Node.js has them in `error.code`. */
export type FileErrorCode =
  | 'ENOENT'
  | 'EEXIST'
  | 'EISDIR'
  | 'ENOTDIR'
  | 'ENOTEMPTY'
  | 'EACCES'
  | 'EINVAL'
  | 'ENAMETOOLONG'
  | 'EFBIG'
  | 'ENOSPC'
  | 'EMSGSIZE';

/** Which bound was reached, where one was; a script that ends by it fails with the code of the bound. */
export type FileBound = 'files' | 'message' | 'output';

export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: FileErrorCode;
  readonly bound: FileBound | null;

  constructor(code: FileErrorCode, message: string, bound: FileBound | null = null) {
    super(`${code}: ${message}`);
    this.code = code;
    this.bound = bound;
  }
}
