/**
 * The file system that one script sees: folders and files in the memory of
 * the runtime, gone with the execution. What is mounted lies below, and what
 * the script writes, makes and removes lies over it.
 *
 * Invariants
 *   F1. The bytes of a mount are shared between executions and never written:
 *       a script that changes such a file has its own copy from then on.
 *   F2. Every path goes through `overlayPath` and is looked up in the tree;
 *       there is no link, and nothing here touches a host's file system.
 *   F3. What a script keeps is within its limits at every moment, also in the
 *       middle of an operation: an operation checks first and changes then.
 *   F4. An operation costs time in proportion to its own bytes and entries.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import type { FileLimits } from './execution-limits.ts';
import { FileError, type FileErrorCode } from './file-error.ts';
import { GrowingBytes } from './growing-bytes.ts';
import type { Mount } from './mount.ts';
import { type OverlayPath, overlayPath, pathText } from './overlay-path.ts';

interface FileNode {
  readonly type: 'file';
  readonly bytes: GrowingBytes;
  /** Bytes that count for the script: none while the file is as it was mounted. */
  charged: number;
  /** Whether it counts among the entries of the script: what was mounted never does. */
  readonly own: boolean;
}

interface FolderNode {
  readonly type: 'folder';
  readonly entries: Map<string, Node>;
  readonly own: boolean;
}

type Node = FileNode | FolderNode;

/** What a place is. */
export interface FileStatus {
  readonly type: 'file' | 'folder';
  readonly size: number;
}

/** The folder whose files may leave. */
export const outputFolder = 'out';

export class OverlayFileSystem {
  readonly #limits: FileLimits;
  readonly #root: FolderNode = newFolder(false);
  #entries = 0;
  #bytes = 0;
  #outputBytes = 0;

  /** @throws FileError when two mounts want one place, one lies under `/out`, or a path is none. */
  constructor(options: { readonly mounts?: readonly Mount[]; readonly limits: FileLimits }) {
    this.#limits = options.limits;
    for (const { at, files, folders } of options.mounts ?? []) {
      const base = overlayPath(at);
      this.#mountFolder(base);
      for (const path of folders ?? []) this.#mountFolder([...base, ...overlayPath(path)]);
      for (const [path, bytes] of files) this.#mountFile([...base, ...overlayPath(path)], bytes);
    }
    this.#mountFolder([outputFolder]);
  }

  /** Bytes of a file from `offset`; a view that is valid until the next change. */
  readFile(
    path: unknown,
    range: { readonly offset?: number; readonly length?: number } = {},
  ): Buffer {
    const node = this.#file(path);
    const { offset = 0, length = node.bytes.length } = range;
    const part = node.bytes.view.subarray(offset, offset + length);
    if (part.length > this.#limits.messageBytes) {
      throw new FileError(
        'EMSGSIZE',
        `${JSON.stringify(path)} is read in parts of at most ${this.#limits.messageBytes} bytes`,
        'message',
      );
    }
    return part;
  }

  writeFile(path: unknown, bytes: Buffer): void {
    this.#write(path, bytes, false);
  }

  appendFile(path: unknown, bytes: Buffer): void {
    this.#write(path, bytes, true);
  }

  /** Names in a folder, sorted by code unit, with what they are. */
  readdir(path: unknown): { readonly name: string; readonly type: FileStatus['type'] }[] {
    const node = this.#node(overlayPath(path), path);
    if (node.type !== 'folder') throw fault('ENOTDIR', 'is a file', path);
    return [...node.entries]
      .map(([name, { type }]) => ({ name, type }))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  stat(path: unknown): FileStatus {
    const node = this.#node(overlayPath(path), path);
    return { type: node.type, size: node.type === 'file' ? node.bytes.length : 0 };
  }

  mkdir(path: unknown, options: { readonly recursive?: boolean } = {}): void {
    const names = overlayPath(path);
    const existing = this.#find(names);
    if (existing !== null) {
      if (options.recursive === true && existing.type === 'folder') return;
      throw fault('EEXIST', 'is there already', path);
    }
    const missing = this.#missingFolders(names, path);
    if (missing > 1 && options.recursive !== true) throw fault('ENOENT', 'has no parent', path);
    this.#admitEntries(missing); // (F3)
    let folder = this.#root;
    for (const name of names) {
      let next = folder.entries.get(name);
      if (next === undefined) {
        next = newFolder(true);
        folder.entries.set(name, next);
      }
      if (next.type !== 'folder') throw fault('ENOTDIR', 'goes through a file', path);
      folder = next;
    }
    this.#entries += missing;
  }

  rm(
    path: unknown,
    options: { readonly recursive?: boolean; readonly force?: boolean } = {},
  ): void {
    const names = overlayPath(path);
    const node = this.#find(names);
    if (node === null) {
      if (options.force === true) return;
      throw fault('ENOENT', 'is not there', path);
    }
    if (names.length === 0) throw fault('EACCES', 'is the root and stays', path);
    if (node.type === 'folder' && options.recursive !== true) {
      throw fault('EISDIR', 'is a folder; remove it with { recursive: true }', path);
    }
    this.#parent(names, path).entries.delete(last(names));
    this.#release(node);
    if (isOutput(names)) this.#outputBytes -= bytesOf(node);
  }

  /** Moves a file or folder; a file in its place is replaced. */
  rename(from: unknown, to: unknown): void {
    const source = overlayPath(from);
    const target = overlayPath(to);
    const node = this.#node(source, from);
    if (source.length === 0) throw fault('EACCES', 'is the root and stays', from);
    const parent = this.#parent(target, to);
    if (node.type === 'folder' && isBelow(target, source)) {
      if (pathText(source) === pathText(target)) return;
      throw fault('EINVAL', 'cannot move into itself', to);
    }
    const replaced = parent.entries.get(last(target));
    if (replaced === node) return;
    if (replaced?.type === 'folder') throw fault('EISDIR', 'is a folder', to);
    if (replaced !== undefined && node.type === 'folder') throw fault('ENOTDIR', 'is a file', to);
    if (target.length + depthOf(node) > limits.overlayDepthMax) {
      throw fault('ENAMETOOLONG', 'would be too deep', to);
    }
    const moved = bytesOf(node);
    const gone = replaced === undefined ? 0 : bytesOf(replaced);
    const output = (isOutput(target) ? moved - gone : 0) - (isOutput(source) ? moved : 0);
    this.#admitOutput(output); // (F3)
    this.#parent(source, from).entries.delete(last(source));
    if (replaced !== undefined) this.#release(replaced);
    parent.entries.set(last(target), node);
    this.#outputBytes += output;
  }

  /** The files of the folder `out`, in the order of their paths: all that may leave. */
  outputs(): { readonly path: OverlayPath; readonly bytes: Buffer }[] {
    return this.entries([outputFolder]).flatMap(({ path, bytes }) =>
      bytes === null ? [] : [{ path: path.slice(1), bytes }],
    );
  }

  /** Everything below a folder, each folder before what is in it, sorted; nothing where none is. */
  entries(at: OverlayPath): { readonly path: OverlayPath; readonly bytes: Buffer | null }[] {
    const folder = this.#find(at);
    if (folder?.type !== 'folder') return [];
    const found: { path: OverlayPath; bytes: Buffer | null }[] = [];
    for (const name of [...folder.entries.keys()].sort()) {
      const node = folder.entries.get(name);
      const path = [...at, name];
      found.push({ path, bytes: node?.type === 'file' ? node.bytes.view : null });
      if (node?.type === 'folder') found.push(...this.entries(path));
    }
    return found;
  }

  #write(path: unknown, bytes: Buffer, append: boolean): void {
    const names = overlayPath(path);
    const node = this.#find(names);
    if (node?.type === 'folder') throw fault('EISDIR', 'is a folder', path);
    if (bytes.length > this.#limits.messageBytes) {
      const message = `one call writes at most ${this.#limits.messageBytes} bytes; append the rest`;
      throw new FileError('EMSGSIZE', message, 'message');
    }
    const parent = this.#parent(names, path);
    const kept = append && node !== null ? node.bytes.length : 0;
    const length = kept + bytes.length;
    // (F3): all checks come before the first change.
    if (length > this.#limits.fileBytes) {
      throw new FileError('EFBIG', `a file has at most ${this.#limits.fileBytes} bytes`, 'files');
    }
    if (node === null) this.#admitEntries(1);
    const more = length - (node?.charged ?? 0);
    if (this.#bytes + more > this.#limits.totalBytes) {
      throw new FileError(
        'ENOSPC',
        `all files have at most ${this.#limits.totalBytes} bytes`,
        'files',
      );
    }
    const output = length - (node?.bytes.length ?? 0);
    if (isOutput(names)) this.#admitOutput(output);
    if (append && node !== null) {
      node.bytes.append(bytes); // (F1): it leaves shared bytes alone
      node.charged = length;
    } else {
      const content = new GrowingBytes(Buffer.from(bytes));
      const own = node?.own ?? true;
      parent.entries.set(last(names), { type: 'file', bytes: content, charged: length, own });
    }
    if (node === null) this.#entries += 1;
    this.#bytes += more;
    if (isOutput(names)) this.#outputBytes += output;
  }

  #admitEntries(count: number): void {
    if (this.#entries + count <= this.#limits.files) return;
    throw new FileError('ENOSPC', `a script makes at most ${this.#limits.files} files`, 'files');
  }

  #admitOutput(more: number): void {
    if (this.#outputBytes + more <= this.#limits.outputBytes) return;
    const message = `the files under /${outputFolder} have at most ${this.#limits.outputBytes} bytes`;
    throw new FileError('ENOSPC', message, 'output');
  }

  /** Gives back what a removed node and everything in it was charged. */
  #release(node: Node): void {
    if (node.own) this.#entries -= 1;
    if (node.type === 'file') this.#bytes -= node.charged;
    else for (const inner of node.entries.values()) this.#release(inner);
  }

  #mountFolder(names: OverlayPath): FolderNode {
    let folder = this.#root;
    for (const name of names) {
      let next = folder.entries.get(name);
      if (next === undefined) {
        next = newFolder(false);
        folder.entries.set(name, next);
      }
      if (next.type === 'file') throw fault('EEXIST', 'is mounted twice', pathText(names));
      folder = next;
    }
    return folder;
  }

  #mountFile(names: OverlayPath, bytes: Buffer): void {
    const place = pathText(names);
    if (names.length === 0) throw fault('EISDIR', 'is the root', place);
    // What is mounted must not leave by itself.
    if (isOutput(names)) throw fault('EINVAL', 'is for outputs', place);
    const folder = this.#mountFolder(names.slice(0, -1));
    if (folder.entries.has(last(names))) throw fault('EEXIST', 'is mounted twice', place);
    const content = new GrowingBytes(bytes);
    folder.entries.set(last(names), { type: 'file', bytes: content, charged: 0, own: false });
  }

  /** What is at a place, or null when nothing is. */
  #find(names: OverlayPath): Node | null {
    let node: Node = this.#root;
    for (const name of names) {
      if (node.type === 'file') return null;
      const next: Node | undefined = node.entries.get(name);
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  #node(names: OverlayPath, path: unknown): Node {
    const node = this.#find(names);
    if (node !== null) return node;
    this.#refuseThroughFile(names, path);
    throw fault('ENOENT', 'is not there', path);
  }

  #file(path: unknown): FileNode {
    const node = this.#node(overlayPath(path), path);
    if (node.type === 'folder') throw fault('EISDIR', 'is a folder', path);
    return node;
  }

  /** The folder that a place lies in. */
  #parent(names: OverlayPath, path: unknown): FolderNode {
    if (names.length === 0) throw fault('EISDIR', 'is the root', path);
    const parent = this.#find(names.slice(0, -1));
    if (parent?.type === 'folder') return parent;
    this.#refuseThroughFile(names, path);
    throw fault('ENOENT', 'has no folder', path);
  }

  /** How many folders are missing on the way to and at a place. */
  #missingFolders(names: OverlayPath, path: unknown): number {
    this.#refuseThroughFile(names, path);
    let there = 0;
    while (there < names.length && this.#find(names.slice(0, there + 1)) !== null) there += 1;
    return names.length - there;
  }

  #refuseThroughFile(names: OverlayPath, path: unknown): void {
    for (let depth = 1; depth < names.length; depth += 1) {
      if (this.#find(names.slice(0, depth))?.type === 'file') {
        throw fault('ENOTDIR', 'goes through a file', path);
      }
    }
  }
}

function newFolder(own: boolean): FolderNode {
  return { type: 'folder', entries: new Map(), own };
}

function last(names: OverlayPath): string {
  const name = names.at(-1);
  assert(name !== undefined, 'only the root has no name');
  return name;
}

function isOutput(names: OverlayPath): boolean {
  return names[0] === outputFolder;
}

function isBelow(names: OverlayPath, above: OverlayPath): boolean {
  return above.every((name, index) => names[index] === name);
}

function bytesOf(node: Node): number {
  if (node.type === 'file') return node.bytes.length;
  let bytes = 0;
  for (const inner of node.entries.values()) bytes += bytesOf(inner);
  return bytes;
}

/** Names below a node, at the deepest place. */
function depthOf(node: Node): number {
  if (node.type === 'file') return 0;
  let depth = 0;
  for (const inner of node.entries.values()) depth = Math.max(depth, 1 + depthOf(inner));
  return depth;
}

function fault(code: FileErrorCode, what: string, path: unknown): FileError {
  // The path is the script's own text and within its bound.
  return new FileError(code, `${JSON.stringify(path)} ${what}`);
}
