/**
 * A folder of the host as a mount: read whole, once, before the script begins.
 *
 * Invariants
 *   M1. No symbolic link below the folder is followed. On Linux each folder is
 *       reached through its opened parent, so replacing one by a link in the
 *       middle of it changes nothing; elsewhere links are seen, but not a
 *       folder on the way that is replaced at that very moment.
 *   M2. Only regular files are read, and never longer than what the budget has left.
 *   M3. What is left out is told.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import { limits } from '../kernel/limits.ts';
import type { Mount } from './mount.ts';
import { type MountBudget, mountFault } from './mount-budget.ts';
import { overlayPath } from './overlay-path.ts';

export interface FolderMount {
  readonly mount: Mount;
  /** Entries that are not there, each with the reason: links, devices, names that no path has. */
  readonly leftOut: readonly string[];
}

const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** @throws RuntimeError SANDBOX_MOUNT_INVALID when it is no folder that can be read, or too large. */
export function readFolder(
  path: string,
  options: { readonly at: string; readonly budget: MountBudget },
): FolderMount {
  const walk = new FolderWalk(options.budget);
  let folder: number;
  try {
    folder = openSync(path, O_RDONLY | O_DIRECTORY);
  } catch (cause) {
    throw mountFault(`The folder ${path} cannot be mounted; check the path.`, cause);
  }
  try {
    if (!fstatSync(folder).isDirectory()) throw mountFault(`${path} is not a folder.`);
    walk.enter(folder, path, []);
  } finally {
    closeSync(folder);
  }
  const { files, folders, leftOut } = walk;
  return { mount: { at: options.at, files, folders }, leftOut: leftOut.sort() };
}

class FolderWalk {
  readonly files = new Map<string, Buffer>();
  readonly folders: string[] = [];
  readonly leftOut: string[] = [];
  readonly #budget: MountBudget;

  constructor(budget: MountBudget) {
    this.#budget = budget;
  }

  /** `folder` is open; `path` is where it was found, for systems without /proc. */
  enter(folder: number, path: string, names: readonly string[]): void {
    const place = process.platform === 'linux' ? `/proc/self/fd/${folder}` : path; // (M1)
    const entries = opendirSync(place);
    try {
      for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
        this.#take(join(place, entry.name), [...names, entry.name]);
      }
    } finally {
      entries.closeSync();
    }
  }

  #take(path: string, names: readonly string[]): void {
    const shown = names.join('/');
    this.#budget.addEntry(shown);
    const problem = nameProblem(names) ?? this.#read(path, names);
    if (problem !== null) this.leftOut.push(`${shown} (${problem})`); // (M3)
  }

  /** Reads one entry, or says why it is left out. */
  #read(path: string, names: readonly string[]): string | null {
    const shown = names.join('/');
    let file: number;
    try {
      const kind = lstatSync(path);
      if (kind.isSymbolicLink()) return 'a symbolic link';
      if (!kind.isFile() && !kind.isDirectory()) return 'no regular file';
      // Between the two looks it may have become something else: then opening fails or is seen.
      file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch {
      return 'cannot be opened';
    }
    try {
      const status = fstatSync(file);
      if (status.isDirectory()) {
        this.folders.push(shown);
        this.enter(file, path, names);
        return null;
      }
      if (!status.isFile()) return 'no regular file'; // (M2)
      if (status.size > this.#budget.bytesLeft) this.#budget.addBytes(status.size, shown);
      const bytes = readAtMost(file, status.size);
      this.#budget.addBytes(bytes.length, shown);
      this.files.set(shown, bytes);
      return null;
    } finally {
      closeSync(file);
    }
  }
}

/** As much of a file as there was when it was opened: one that grows meanwhile ends here. */
function readAtMost(file: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let filled = 0;
  while (filled < size) {
    const count = readSync(file, bytes, filled, size - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

function nameProblem(names: readonly string[]): string | null {
  if (names.length >= limits.overlayDepthMax) return 'too deep';
  try {
    // A name that is written otherwise in a path, such as one with a line break.
    return overlayPath(names.join('/')).length === names.length ? null : 'no name of a path';
  } catch {
    return 'no name of a path';
  }
}
