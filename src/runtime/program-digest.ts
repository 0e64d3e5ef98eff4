/**
 * What tells two programs apart that might fold a run differently: the code of
 * the machines and of what they and the folds stand on, and the package file,
 * which pins every dependency. A snapshot of another program is not used, for it
 * cannot show that the machines still do what they did.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sha256 } from '../kernel/hash.ts';

const sources = fileURLToPath(new URL('..', import.meta.url));
const folders = ['kernel', 'actors'];
/** Files beside this one that say what a fold and a snapshot are. */
const folds = /^(fold-run|fork-point|run-snapshot|root-actor)\.[jt]s$/;

function filesOf(folder: string): string[] {
  return readdirSync(join(sources, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[jt]s$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name));
}

/** Digest of this program; the same for the same files. */
export function programDigest(): Sha256 {
  const beside = readdirSync(join(sources, 'runtime')).filter((name) => folds.test(name));
  const names = [...folders.flatMap(filesOf), ...beside.map((name) => join('runtime', name))];
  const hash = createHash('sha256');
  for (const name of [...names.sort(), '../package.json']) {
    const bytes = readFileSync(join(sources, name));
    hash.update(`${name}\n${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex') as Sha256;
}
