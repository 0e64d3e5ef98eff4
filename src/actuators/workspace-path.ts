/**
 * Where a relative path lies inside a workspace, and the proof that it does.
 *
 * Invariants
 *   W1. A located path is real: no component of it is a symbolic link, and it
 *       begins with the real path of the workspace.
 *   W2. What is refused by its text alone is refused before the disk is asked.
 */
import { lstat, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

export interface Located {
  /** The real folder of the workspace. */
  readonly root: string;
  /** Real path of the deepest component that exists; the workspace itself at least. */
  readonly existing: string;
  /** Components below `existing` that do not exist. */
  readonly missing: readonly string[];
}

/** The path as people see it in a message, bounded. */
export function shownPath(path: string): string {
  return JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path);
}

function outside(path: string, why: string): RuntimeError {
  return new RuntimeError(
    'FILE_OUTSIDE_WORKSPACE',
    `The path ${shownPath(path)} ${why}; use a relative path inside the workspace.`,
  );
}

/**
 * The components of a relative path, without empty ones and `.` (W2).
 * @throws RuntimeError FILE_OUTSIDE_WORKSPACE.
 */
export function pathComponents(path: string): string[] {
  if (path.length === 0) throw outside(path, 'is empty');
  if (path.length > limits.workspacePathCharactersMax) throw outside(path, 'is too long');
  if (path.includes('\0')) throw outside(path, 'contains a NUL character');
  if (path.includes('\\')) throw outside(path, 'contains a backslash');
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) throw outside(path, 'is absolute');
  const components = path.split('/').filter((part) => part !== '' && part !== '.');
  if (components.includes('..')) throw outside(path, 'leads upwards');
  return components;
}

function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/**
 * Follows a path through the workspace, component by component (W1).
 * @throws RuntimeError FILE_OUTSIDE_WORKSPACE when its text or a symbolic link
 * leads out or leads nowhere; the errors of lstat for what cannot be looked at.
 */
export async function locate(workspace: string, path: string): Promise<Located> {
  const components = pathComponents(path);
  const root = await realpath(workspace);
  let existing = root;
  for (const [index, component] of components.entries()) {
    const candidate = join(existing, component);
    let isLink: boolean;
    try {
      isLink = (await lstat(candidate)).isSymbolicLink();
    } catch (error) {
      if (!isMissing(error)) throw error;
      return { root, existing, missing: components.slice(index) };
    }
    existing = isLink ? await linkTarget(root, candidate, path) : candidate;
  }
  return { root, existing, missing: [] };
}

async function linkTarget(root: string, link: string, path: string): Promise<string> {
  let target: string;
  try {
    target = await realpath(link);
  } catch {
    throw outside(path, 'passes a symbolic link that leads nowhere');
  }
  if (!isInside(root, target)) throw outside(path, 'passes a symbolic link that leads out');
  return target;
}

/**
 * Checks that a located path is still real (W1): between the look and the
 * use somebody may have put a link in its place.
 * @throws RuntimeError FILE_OUTSIDE_WORKSPACE.
 */
export async function assertStillReal(located: string, path: string): Promise<void> {
  if ((await realpath(located)) !== located) throw outside(path, 'changed while it was used');
}
