/**
 * Files on their way into and out of a shell or Python script, as tar streams:
 * so they never touch a folder of the host. What comes out is read by the
 * rules of any stranger's archive (archive-mount.ts).
 */
import type { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { ArchiveEntries, addTarEntries } from './archive-mount.ts';
import type { ExecutionLimits } from './execution-limits.ts';
import { FileError } from './file-error.ts';
import { MountBudget, mountFault } from './mount-budget.ts';
import { type OverlayFileSystem, outputFolder } from './overlay-file-system.ts';
import { reservedFolders } from './script-launcher.ts';

/** What a script is given. */
export interface PackedFiles {
  readonly tar: Buffer;
  /** The folders of the root that it has, besides /job. */
  readonly folders: readonly string[];
  readonly bytes: number;
}

/** What a script left. */
export interface ScriptAnswer {
  readonly output: Buffer;
  readonly error: Buffer;
}

const outputText = 'captured/output/text';
const errorText = 'captured/error/text';

/**
 * Packs everything of a file system but its outputs, and the script.
 * @throws RuntimeError SANDBOX_MOUNT_INVALID where a mount has the place of a folder of the system.
 */
export async function packFiles(
  fileSystem: OverlayFileSystem,
  script: { readonly name: string; readonly source: string; readonly timeMs: number },
): Promise<PackedFiles> {
  const packed = pack();
  const mtime = new Date(script.timeMs);
  const folders: string[] = [];
  let bytes = 0;
  for (const { path, bytes: content } of fileSystem.entries([])) {
    const [top = ''] = path;
    if (top === outputFolder) continue;
    const name = path.join('/');
    if (reservedFolders.has(top) || (path.length === 1 && content !== null)) {
      throw mountFault(
        `A script of this language cannot have /${name}; mount it in another folder.`,
      );
    }
    if (path.length === 1) folders.push(top);
    // Its own copy: a script may change it, and nobody else sees that.
    if (content === null) packed.entry({ name, type: 'directory', mode: 0o755, mtime });
    else packed.entry({ name, mode: 0o644, mtime }, content);
    bytes += content?.length ?? 0;
  }
  packed.entry({ name: `job/${script.name}`, mode: 0o644, mtime }, script.source);
  packed.finalize();
  const tar = Buffer.concat(await Array.fromAsync(packed as AsyncIterable<Buffer>));
  return { tar, folders, bytes };
}

/**
 * Reads what a script left, and puts its outputs into the file system.
 * @throws RuntimeError SANDBOX_OUTPUT when there is more than may leave, or something that is no
 *   plain file or folder; Error when the stream ends too early.
 */
export async function takeAnswer(
  stream: Readable,
  fileSystem: OverlayFileSystem,
  own: ExecutionLimits,
): Promise<ScriptAnswer> {
  const entries = new ArchiveEntries(
    new MountBudget({
      // The launcher's own folders are among them.
      entriesMax: own.files + 8,
      bytesMax: own.outputBytes + 2 * limits.sandboxMessageBytesMax,
      fault: outputFault,
    }),
  );
  await addTarEntries(stream, entries);
  const { files, folders } = entries;
  const output = files.get(outputText);
  const error = files.get(errorText);
  if (output === undefined || error === undefined) throw new Error('it ends too early');
  try {
    for (const folder of folders) {
      if (folder.startsWith(`${outputFolder}/`)) fileSystem.mkdir(folder, { recursive: true });
    }
    for (const [path, bytes] of files) {
      if (path.startsWith(`${outputFolder}/`)) writeWhole(fileSystem, path, bytes, own);
    }
  } catch (cause) {
    if (!(cause instanceof FileError)) throw cause;
    throw outputFault(`The outputs do not fit: ${cause.message}.`);
  }
  return { output, error };
}

function writeWhole(
  fileSystem: OverlayFileSystem,
  path: string,
  bytes: Buffer,
  own: ExecutionLimits,
): void {
  fileSystem.writeFile(path, bytes.subarray(0, own.messageBytes));
  for (let at = own.messageBytes; at < bytes.length; at += own.messageBytes) {
    fileSystem.appendFile(path, bytes.subarray(at, at + own.messageBytes));
  }
}

function outputFault(what: string): RuntimeError {
  return new RuntimeError('SANDBOX_OUTPUT', `What the script left cannot be taken. ${what}`);
}
