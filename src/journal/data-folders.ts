/** Where things lie inside a data directory. */
import { join } from 'node:path';
import type { Sha256 } from '../kernel/hash.ts';

export function journalFolder(dataDirectory: string): string {
  return join(dataDirectory, 'journal');
}

export function blobsFolder(dataDirectory: string): string {
  return join(dataDirectory, 'blobs');
}

/** What the name of a compressed blob file ends in. */
export const compressedSuffix = '.zst';

/** Blobs are spread over 256 folders by the first two digits of their hash. */
export function blobPath(dataDirectory: string, hash: Sha256): string {
  return join(blobsFolder(dataDirectory), hash.slice(0, 2), hash);
}

/** Working files of the runs, one folder each. */
export function workspacesFolder(dataDirectory: string): string {
  return join(dataDirectory, 'workspaces');
}
