/** A script for the sandbox that a user names. */
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { FileFault, readTextFile } from './text-file.ts';

/** @throws RuntimeError SANDBOX_INPUT_INVALID */
export function readScript(path: string): string {
  try {
    return readTextFile(path, limits.sandboxScriptBytesMax);
  } catch (cause) {
    if (!(cause instanceof FileFault)) throw cause;
    throw new RuntimeError('SANDBOX_INPUT_INVALID', `The script ${path} ${cause.message}.`, {
      cause,
    });
  }
}
