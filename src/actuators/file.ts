/**
 * Files of the run's workspace: read, list, write, append.
 *
 * Invariants
 *   A1. Nothing outside the workspace is opened (workspace-path.ts), and
 *       nothing but regular files: no pipe, no device.
 *   A2. A file is whole or absent: written beside, synced, renamed into place.
 *   A3. A write whose content is already there does not touch the file, so a
 *       repeat after a crash changes nothing; it still makes it durable.
 *   A4. What is appended goes into the file in one write. Once that has begun,
 *       a failure leaves open whether it is there.
 */
import { constants } from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  opendir,
  rename,
  stat,
  unlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { levelName } from '../identity/clearance.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import { type Actuator, type ActuatorContext, operation } from './actuator.ts';
import { operationArguments } from './operation-arguments.ts';
import { assertStillReal, type Located, locate, shownPath } from './workspace-path.ts';

/** Names of files that are being written; a crash may leave one, no listing shows it. */
const temporaryPattern = /^\.claw-[0-9a-f]{16}\.tmp$/;
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const appendFlags = constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW;
const createFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const entrySchema = z.strictObject({
  name: z.string(),
  type: z.enum(['file', 'folder', 'other']),
  /** Size of a file, 0 for everything else. */
  bytes: z.number().int().nonnegative(),
});

type Entry = z.output<typeof entrySchema>;

export function fileActuator(): Actuator {
  return {
    name: 'file',
    operations: {
      read: operation({
        effect: 'pure',
        arguments: operationArguments['file.read'],
        result: z.strictObject({
          path: z.string(),
          text: z.string(),
          bytes: z.number(),
          label: levelName.optional(),
        }),
        perform: ({ path }, context) => explained(path, () => readText(path, context)),
      }),
      list: operation({
        effect: 'pure',
        arguments: operationArguments['file.list'],
        result: z.strictObject({ path: z.string(), entries: z.array(entrySchema) }),
        perform: ({ path }, context) => explained(path, () => listFolder(path, context)),
      }),
      write: operation({
        effect: 'idempotent',
        arguments: operationArguments['file.write'],
        result: z.strictObject({ path: z.string(), bytes: z.number(), sha256: z.string() }),
        perform: ({ path, text }, context) =>
          explained(path, () => writeText({ path, text }, context)),
      }),
      append: operation({
        effect: 'once',
        arguments: operationArguments['file.append'],
        result: z.strictObject({ path: z.string(), appended: z.number() }),
        perform: ({ path, text }, context) =>
          explained(path, () => appendText({ path, text }, context)),
        presumed: ({ path, text }) => ({ path, appended: Buffer.byteLength(text) }),
      }),
    },
  };
}

async function readText(
  path: string,
  context: ActuatorContext,
): Promise<{ path: string; text: string; bytes: number }> {
  const located = await locateExisting(path, context);
  const content = await withFile(located.existing, path, readFlags, (file) =>
    readBounded(file, path),
  );
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
    return { path, text, bytes: content.length };
  } catch (cause) {
    throw new RuntimeError('DOCUMENT_NOT_TEXT', `The file ${shownPath(path)} is not UTF-8 text.`, {
      cause,
    });
  }
}

async function listFolder(
  path: string,
  context: ActuatorContext,
): Promise<{ path: string; entries: Entry[] }> {
  const located = await locateExisting(path, context);
  const entries: Entry[] = [];
  for await (const { name, parentPath } of await opendir(located.existing)) {
    if (temporaryPattern.test(name)) continue;
    if (entries.length >= limits.workspaceEntriesMax) {
      throw new RuntimeError(
        'FILE_TOO_LARGE',
        `The folder ${shownPath(path)} has more than ${limits.workspaceEntriesMax} entries.`,
      );
    }
    entries.push(await describeEntry(name, parentPath));
  }
  await assertStillReal(located.existing, path);
  entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  return { path, entries };
}

/** A link counts as other: what it leads to may lie outside (A1). */
async function describeEntry(name: string, folder: string): Promise<Entry> {
  const status = await lstat(join(folder, name));
  if (status.isFile()) return { name, type: 'file', bytes: status.size };
  return { name, type: status.isDirectory() ? 'folder' : 'other', bytes: 0 };
}

async function writeText(
  { path, text }: { path: string; text: string },
  context: ActuatorContext,
): Promise<{ path: string; bytes: number; sha256: string }> {
  const content = Buffer.from(text, 'utf8');
  if (content.length > limits.workspaceFileBytesMax) throw tooLarge(path);
  const located = await locate(context.workspace, path);
  const target = join(located.existing, ...located.missing);
  const result = { path, bytes: content.length, sha256: sha256(content) };
  if (located.missing.length === 0) {
    if ((await stat(target)).isDirectory()) throw notAFile(path);
    if (await alreadyThere(target, path, content)) {
      await syncFolder(dirname(target)); // (A3)
      return result;
    }
  }
  await createFolders(located);
  await assertStillReal(dirname(target), path);
  await replaceFile(target, content, sha256(context.key).slice(0, 16));
  return result;
}

async function appendText(
  { path, text }: { path: string; text: string },
  context: ActuatorContext,
): Promise<{ path: string; appended: number }> {
  const content = Buffer.from(text, 'utf8');
  const located = await locate(context.workspace, path);
  const target = join(located.existing, ...located.missing);
  if (located.missing.length > 0) {
    await createFolders(located);
    await assertStillReal(dirname(target), path);
    const file = await open(target, createFlags, 0o644);
    await file.close();
    await syncFolder(dirname(target));
  }
  await withFile(target, path, appendFlags, async (file) => {
    const { size } = await file.stat();
    if (size + content.length > limits.workspaceFileBytesMax) throw tooLarge(path);
    await appendDurably(file, content, path); // (A4)
  });
  return { path, appended: content.length };
}

async function appendDurably(file: FileHandle, content: Buffer, path: string): Promise<void> {
  if (content.length === 0) return;
  try {
    const { bytesWritten } = await file.write(content);
    if (bytesWritten !== content.length) throw new Error('the write was cut short');
    await file.sync();
  } catch (cause) {
    throw new RuntimeError(
      'OUTCOME_UNKNOWN',
      `Nobody can say whether the text is at the end of ${shownPath(path)}.`,
      { cause },
    );
  }
}

/** Whether the file has this content already; if so it is synced, since a crash may have come first. */
function alreadyThere(target: string, path: string, content: Buffer): Promise<boolean> {
  return withFile(target, path, readFlags, async (file) => {
    if ((await file.stat()).size !== content.length) return false;
    if (!(await readBounded(file, path)).equals(content)) return false;
    await file.sync();
    return true;
  });
}

async function createFolders(located: Located): Promise<void> {
  let folder = located.existing;
  for (const component of located.missing.slice(0, -1)) {
    const parent = folder;
    folder = join(folder, component);
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error; // Another intention was faster.
    });
    await syncFolder(parent);
  }
}

/** Writes beside, syncs, renames, syncs the folder (A2). */
async function replaceFile(target: string, content: Buffer, mark: string): Promise<void> {
  const folder = dirname(target);
  const temporary = join(folder, `.claw-${mark}.tmp`);
  // Left over by a crash under the same key; nobody else uses this name.
  await unlink(temporary).catch(() => {});
  try {
    const file = await open(temporary, createFlags, 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // Windows opens no folder and needs no such sync.
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function locateExisting(path: string, context: ActuatorContext): Promise<Located> {
  const located = await locate(context.workspace, path);
  if (located.missing.length > 0) throw notFound(path);
  return located;
}

/** Opens a located regular file, proves that it is the one located, and closes it again (A1). */
async function withFile<T>(
  located: string,
  path: string,
  flags: number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(located, flags);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw notAFile(path);
    await assertStillReal(located, path);
    return await use(file);
  } finally {
    await file.close();
  }
}

/** The content, bounded by what is read and not by what the file said of itself. */
async function readBounded(file: FileHandle, path: string): Promise<Buffer> {
  if ((await file.stat()).size > limits.workspaceFileBytesMax) throw tooLarge(path);
  const buffer = Buffer.alloc(limits.workspaceFileBytesMax + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return Buffer.from(buffer.subarray(0, length));
    length += bytesRead;
  }
  throw tooLarge(path);
}

function notFound(path: string, cause?: unknown): RuntimeError {
  const message = `There is no file ${shownPath(path)} in the workspace; check the path.`;
  return new RuntimeError('FILE_NOT_FOUND', message, { cause });
}

function notAFile(path: string): RuntimeError {
  return new RuntimeError('FILE_NOT_FOUND', `${shownPath(path)} is not a file.`);
}

function tooLarge(path: string): RuntimeError {
  return new RuntimeError(
    'FILE_TOO_LARGE',
    `The file ${shownPath(path)} is larger than ${limits.workspaceFileBytesMax} bytes.`,
  );
}

/** Turns the errors of the file system into those of the catalogue. */
async function explained<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof RuntimeError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ENXIO'].includes(code)) {
      throw notFound(path, error);
    }
    if (code === 'ELOOP') {
      throw new RuntimeError(
        'FILE_OUTSIDE_WORKSPACE',
        `The path ${shownPath(path)} is a symbolic link that was not there before.`,
        { cause: error },
      );
    }
    throw new RuntimeError(
      'ACTUATOR_FAILED',
      code === 'ENOSPC' || code === 'EDQUOT'
        ? `The disk is full, so ${shownPath(path)} cannot be written; free disk space.`
        : `The file ${shownPath(path)} cannot be used: ${code}.`,
      { cause: error, retryable: ['ENOSPC', 'EIO', 'EMFILE', 'ENFILE', 'EBUSY'].includes(code) },
    );
  }
}
