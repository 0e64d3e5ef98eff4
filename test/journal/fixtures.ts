/** Journals that were recorded once and are kept. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../fixtures/journals/', import.meta.url);

export const fixtureNames: readonly string[] = readdirSync(folder).sort();

/** Data directory of a recorded journal; nobody may write to it. */
export function fixtureFolder(name: string): string {
  return fileURLToPath(new URL(name, folder));
}

/** What was true of a journal when it was recorded. */
export interface RecordedFacts {
  readonly lastSequence: number;
  readonly run: string;
  readonly events: number;
  readonly stateHash: string;
  readonly resultHash: string;
}

export function recordedFacts(name: string): RecordedFacts {
  return JSON.parse(readFileSync(`${fixtureFolder(name)}/expected.json`, 'utf8')) as RecordedFacts;
}
