/** Where things lie inside a data directory. */
import { join } from 'node:path';
import type { Sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';

export function journalFolder(dataDirectory: string): string {
  return join(dataDirectory, 'journal');
}

export function blobsFolder(dataDirectory: string): string {
  return join(dataDirectory, 'blobs');
}

/** What the name of a compressed blob file ends in. */
export const compressedSuffix = '.zst';

/**
 * Texts of a run lie in a folder of its own; those of no run, which older formats have,
 * in 256 folders by the first two digits of their hash.
 */
export function blobPath(dataDirectory: string, run: RunId | null, name: Sha256): string {
  const folder = run === null ? name.slice(0, 2) : run;
  return join(blobsFolder(dataDirectory), folder, name);
}

/** Large texts of one run, which nobody else reads. */
export function runBlobsFolder(dataDirectory: string, run: RunId): string {
  return join(blobsFolder(dataDirectory), run);
}

/** The keys of the runs, one file each. */
export function keysFolder(dataDirectory: string): string {
  return join(dataDirectory, 'keys');
}

export function keyPath(dataDirectory: string, run: RunId): string {
  return join(keysFolder(dataDirectory), run);
}

/** The runtime's own keys: of the authority, the log and the vault. */
export function identityFolder(dataDirectory: string): string {
  return join(dataDirectory, 'identity');
}

/** The private key of the runtime's authority. */
export function authorityKeyFile(dataDirectory: string): string {
  return join(identityFolder(dataDirectory), 'authority.key');
}

/** Working files of the runs, one folder each. */
export function workspacesFolder(dataDirectory: string): string {
  return join(dataDirectory, 'workspaces');
}

/** What the audit keeps: leaves, checkpoints, cursors. */
export function auditFolder(dataDirectory: string): string {
  return join(dataDirectory, 'audit');
}

/** Labels of the files of a run's workspace, where the run has any. */
export function fileLabelsPath(dataDirectory: string, run: RunId): string {
  return join(workspacesFolder(dataDirectory), `${run}.labels`);
}
