/**
 * Paths in the file system of a script. They are names in a tree in memory
 * and never reach a host's file system, so what counts is that one text always
 * means one place, and that no text means a place outside.
 *
 * Invariants
 *   O1. A path is cut into names once, here; nothing behind this joins,
 *       decodes or normalises again.
 *   O2. `..` is the two characters and nothing else: percent encodings,
 *       fullwidth dots and composed characters are names as they are written.
 *   O3. `..` at the root stays at the root.
 *   O4. What another system would read differently (NUL and control
 *       characters, backslashes, drives, UNC) is refused.
 */
import { limits } from '../kernel/limits.ts';
import { FileError } from './file-error.ts';

/** Names from the root to a place; the root itself is the empty list. */
export type OverlayPath = readonly string[];

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const forbidden = /[\u0000-\u001f\u007f\\]/;
const drive = /^\/?[a-z]:(?:\/|$)/i;

/**
 * The names of a path; a relative one begins at the root, and a slash at the end says nothing.
 * @throws FileError EINVAL for what no place can be called (O4), ENAMETOOLONG above
 *   `limits.overlayPathCharsMax`, `overlayNameBytesMax` or `overlayDepthMax`.
 */
export function overlayPath(text: unknown): OverlayPath {
  if (typeof text !== 'string' || text === '') {
    throw new FileError('EINVAL', 'a path is a text that is not empty');
  }
  if (text.length > limits.overlayPathCharsMax) {
    throw new FileError(
      'ENAMETOOLONG',
      `a path has at most ${limits.overlayPathCharsMax} characters`,
    );
  }
  if (forbidden.test(text)) {
    throw new FileError('EINVAL', 'a path has no backslash and no control character');
  }
  // Two such texts would become one name in UTF-8.
  if (!text.isWellFormed()) throw new FileError('EINVAL', 'a path has no half of a character');
  if (text.startsWith('//')) throw new FileError('EINVAL', 'a path begins with one slash at most');
  if (drive.test(text)) throw new FileError('EINVAL', 'a path names no drive');
  const names: string[] = [];
  for (const name of text.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..')
      names.pop(); // (O2) (O3)
    else names.push(checkedName(name));
    if (names.length > limits.overlayDepthMax) {
      throw new FileError('ENAMETOOLONG', `a path has at most ${limits.overlayDepthMax} names`);
    }
  }
  return names;
}

function checkedName(name: string): string {
  if (Buffer.byteLength(name, 'utf8') > limits.overlayNameBytesMax) {
    throw new FileError('ENAMETOOLONG', `a name has at most ${limits.overlayNameBytesMax} bytes`);
  }
  return name;
}

/** The path as a text that `overlayPath` gives back. */
export function pathText(path: OverlayPath): string {
  return `/${path.join('/')}`;
}
