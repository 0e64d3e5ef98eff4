/** Journals that were recorded once and are kept. */
import { fileURLToPath } from 'node:url';

const folder = new URL('../fixtures/journals/', import.meta.url);

/** Data directory of a recorded journal; nobody may write to it. */
export function fixtureFolder(name: string): string {
  return fileURLToPath(new URL(name, folder));
}
