/**
 * Where policies come from: those that the project ships, DATA/policies, and the file or
 * folder that the configuration names.
 *
 * Invariants
 *   F1. More files only add policies; the one that ships gives way to a file of its own
 *       name and to nothing else.
 *   F2. A file that is named and cannot be read refuses the start: it may have forbidden
 *       something.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuntimeError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/hash.ts';
import { limits } from '../../kernel/limits.ts';

/** One file of policies. */
export interface PolicyFile {
  /** Path as messages name it. */
  readonly file: string;
  readonly text: string;
  /** It came with the project, where it was checked. */
  readonly shipped?: true;
}

const shippedFolder = fileURLToPath(new URL('../../../policies/', import.meta.url));
const shippedFile = 'default.cedar';

/** Of the tests that ship with the policies. */
export const shippedTests = join(shippedFolder, 'default.tests.yaml');

/** Ends of the names of files. */
const policyEnding = '.cedar';
export const testEndings = ['.tests.yaml', '.tests.yml', '.tests.json'] as const;

export function policySchema(): string {
  return readFileSync(join(shippedFolder, 'schema.cedarschema'), 'utf8');
}

/** The folder of a data directory where policies may lie. */
export function policiesFolder(dataDirectory: string): string {
  return join(dataDirectory, 'policies');
}

function unreadable(path: string, cause: unknown): RuntimeError {
  const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  const message = `The policies ${path} cannot be read (${reason}); check the path and its permissions.`;
  return new RuntimeError('POLICY_INVALID', message, { cause });
}

/** @throws RuntimeError POLICY_INVALID */
function readPolicyFile(path: string): PolicyFile {
  try {
    const status = statSync(path);
    if (!status.isFile()) throw new RuntimeError('POLICY_INVALID', `${path} is not a file.`);
    if (status.size > limits.policyBytesMax) throw tooLarge();
    const bytes = readFileSync(path);
    return { file: path, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    if (cause instanceof TypeError) {
      throw new RuntimeError('POLICY_INVALID', `${path} is not UTF-8 text; save it as UTF-8.`, {
        cause,
      });
    }
    throw unreadable(path, cause);
  }
}

function tooLarge(): RuntimeError {
  return new RuntimeError(
    'POLICY_INVALID',
    `Policies have at most ${limits.policyFilesMax} files and ${limits.policyBytesMax / 1024} KiB together; leave some out.`,
  );
}

/** Paths in a folder, sorted; none where there is no such folder. */
export function filesIn(folder: string, endings: readonly string[]): string[] {
  try {
    const names = readdirSync(folder).filter((name) => endings.some((end) => name.endsWith(end)));
    return names.sort().map((name) => join(folder, name));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unreadable(folder, cause);
  }
}

/** The files that a path stands for: itself, or those of the folder. @throws RuntimeError POLICY_INVALID (F2) */
export function policyPaths(path: string): string[] {
  try {
    return statSync(path).isDirectory() ? filesIn(path, [policyEnding]) : [path];
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/**
 * The policies that ship and those at the paths, each file once.
 * @throws RuntimeError POLICY_INVALID
 */
export function policyFilesAt(paths: readonly string[]): PolicyFile[] {
  const own = [...new Set(paths)];
  const isReplaced = own.some((path) => basename(path) === shippedFile); // (F1)
  if (own.length >= limits.policyFilesMax) throw tooLarge();
  const shipped = isReplaced ? [] : [readPolicyFile(join(shippedFolder, shippedFile))];
  const read = [
    ...shipped.map((each): PolicyFile => ({ ...each, shipped: true })),
    ...own.map(readPolicyFile),
  ];
  const bytes = read.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  if (bytes > limits.policyBytesMax) throw tooLarge();
  return read;
}

/**
 * The policies in force.
 * @param configured File or folder of the configuration.
 * @throws RuntimeError POLICY_INVALID
 */
export function policyFilesInForce(dataDirectory: string, configured?: string): PolicyFile[] {
  const own = filesIn(policiesFolder(dataDirectory), [policyEnding]);
  return policyFilesAt([...own, ...(configured === undefined ? [] : policyPaths(configured))]);
}

/** Names the set: SHA-256 over the texts in their order. */
export function policySetHash(files: readonly PolicyFile[]): string {
  return sha256(JSON.stringify(files.map(({ text }) => text)));
}
