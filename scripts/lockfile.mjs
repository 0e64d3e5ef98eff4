/**
 * Completes package-lock.json with the optional platform packages that the
 * registry in use did not offer at install time.
 *
 * npm writes no entry for an optional dependency it could not resolve, and
 * `npm ci` then refuses its own lockfile. An entry with the exact version and
 * its platform is enough: npm skips it elsewhere and resolves it there.
 * Run after every `npm install` (`npm run lockfile`).
 */
import { readFileSync, writeFileSync } from 'node:fs';

const platformWords = {
  linux: 'linux',
  mac: 'darwin',
  darwin: 'darwin',
  win: 'win32',
  win32: 'win32',
};
const cpuWords = ['x64', 'arm64', 'armv7l', 'riscv64', 'ia32'];

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const known = new Set(Object.keys(lock.packages).map((path) => path.split('node_modules/').at(-1)));
let added = 0;
for (const entry of Object.values({ ...lock.packages })) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (known.has(name)) continue;
    const words = name.split('/').at(-1).split('-');
    const os = words.map((word) => platformWords[word]).find(Boolean);
    const cpu = words.find((word) => cpuWords.includes(word));
    lock.packages[`node_modules/${name}`] = {
      version,
      optional: true,
      ...(cpu ? { cpu: [cpu === 'armv7l' ? 'arm' : cpu] } : {}),
      ...(os ? { os: [os] } : {}),
    };
    known.add(name);
    added += 1;
  }
}
const sorted = Object.keys(lock.packages).sort((a, b) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(sorted.map((path) => [path, lock.packages[path]]));
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} optional platform package(s) added`);
