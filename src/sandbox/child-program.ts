/**
 * The program of a sandbox process as one text, which it is given over a pipe.
 *
 * So the process needs no file of this project: it can start under a root that
 * holds Node.js alone, and without the right to read anything else. It also
 * starts in a third of the time, because the types are stripped once, here.
 *
 * Invariants
 *   T1. The program is what `child-entry.ts` imports, directly or not, by
 *       relative paths. Packages and paths of the host are not part of it.
 */
import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { siblingModule } from '../kernel/module-url.ts';

/** Where the modules seem to lie, for the process: it shall not learn where they do. */
const programRoot = 'file:///sandbox-program/';
const relativeImport = /^\s*(?:import|export)\b[^'"]*?['"](\.{1,2}\/[^'"]+)['"]/gm;

/** Reads the program from descriptor 3 and runs it; what is imported is in there or part of Node.js. */
export const bootSource = `
const { closeSync, readFileSync } = require('node:fs');
const { registerHooks } = require('node:module');
const { entry, modules } = JSON.parse(readFileSync(3, 'utf8'));
closeSync(3);
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('node:')) return next(specifier, context);
    return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true };
  },
  load(url, context, next) {
    if (url.startsWith('node:')) return next(url, context);
    if (!Object.hasOwn(modules, url)) throw new Error('no module ' + url);
    return { format: 'module', source: modules[url], shortCircuit: true };
  },
});
import(entry);
`;

let built: Promise<Buffer> | null = null;

/** The program, built at the first call in this thread and remembered. */
export function childProgram(): Promise<Buffer> {
  built ??= build(siblingModule(import.meta.url, 'child-entry'));
  return built;
}

/** The modules that `entry` reaches (T1), as JSON. */
async function build(entry: URL): Promise<Buffer> {
  const root = new URL('../', entry);
  const seemingUrl = (url: URL): string => programRoot + url.href.slice(root.href.length);
  const modules: Record<string, string> = {};
  const open = [entry];
  for (let url = open.pop(); url !== undefined; url = open.pop()) {
    if (Object.hasOwn(modules, seemingUrl(url))) continue;
    const text = await readFile(url, 'utf8');
    const source = url.href.endsWith('.ts') ? withoutTypes(text) : text;
    modules[seemingUrl(url)] = source;
    for (const [, specifier = ''] of source.matchAll(relativeImport)) {
      open.push(new URL(specifier, url));
    }
    // Stripping takes some milliseconds: others shall have their turn.
    await nextTurn();
  }
  return Buffer.from(JSON.stringify({ entry: seemingUrl(entry), modules }));
}

/** Node.js warns at the first use of the function that it may change; that is not for the user's terminal. */
function withoutTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
