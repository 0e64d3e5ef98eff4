/** What may leave an execution: the files under `/out`, named, counted and hashed. */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OverlayFileSystem } from './overlay-file-system.ts';

/** One file that leaves. */
export interface OutputFile {
  /** Relative to `/out`, with slashes. */
  readonly path: string;
  readonly bytes: number;
  /** Of the content, in hexadecimal digits. */
  readonly sha256: string;
  /** By the extension of the name alone: a hint, not a finding. */
  readonly mediaType: string;
}

const mediaTypes: Readonly<Record<string, string>> = {
  txt: 'text/plain',
  log: 'text/plain',
  md: 'text/markdown',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  html: 'text/html',
  css: 'text/css',
  js: 'text/javascript',
  ts: 'text/x-typescript',
  py: 'text/x-python',
  sh: 'application/x-sh',
  json: 'application/json',
  jsonl: 'application/jsonl',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  pdf: 'application/pdf',
  zip: 'application/zip',
  gz: 'application/gzip',
  tar: 'application/x-tar',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  svg: 'image/svg+xml',
  wav: 'audio/wav',
  mp3: 'audio/mpeg',
};

function mediaTypeOf(path: string): string {
  const extension = /\.([A-Za-z0-9]{1,8})$/.exec(path)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(mediaTypes, extension)
    ? (mediaTypes[extension] ?? '')
    : 'application/octet-stream';
}

/** The manifest of a file system, in the order of the paths. */
export async function outputManifest(fileSystem: OverlayFileSystem): Promise<OutputFile[]> {
  const files: OutputFile[] = [];
  for (const { path: names, bytes } of fileSystem.outputs()) {
    const path = names.join('/');
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    files.push({ path, bytes: bytes.length, sha256, mediaType: mediaTypeOf(path) });
    // Hashing many megabytes must not hold up whoever else uses this thread.
    if (bytes.length > 65_536) await nextTurn();
  }
  return files;
}
