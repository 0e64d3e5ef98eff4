/**
 * `npm run bench`: every benchmark in bench/, one after the other, because two
 * at once would measure each other. Arguments, such as --quick, go to each.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../bench/', import.meta.url);
const programs = readdirSync(folder)
  .filter((name) => name.endsWith('.ts') && name !== 'harness.ts')
  .sort();
const failed: string[] = [];
for (const program of programs) {
  console.log(`\n> bench/${program}`);
  const path = fileURLToPath(new URL(program, folder));
  const result = spawnSync(process.execPath, [path, ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  if (result.status !== 0) failed.push(program);
}
if (failed.length > 0) console.error(`\nFailed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
