/**
 * How a script is entered. Most scripts are: their value is that of the last
 * expression. A script that is written like a module has a main function
 * instead, which gets the input:
 *
 *   export default async function main(input) { … }
 *   async function main(input) { … }                  (and the script does not call it)
 *
 * `export` is replaced by as many spaces or by an assignment of the same
 * length, so that the places of errors stay true. The engine itself is the
 * parser: candidates are compiled, never executed.
 */
import { type Compiles, withTopLevelAwait } from './top-level-await.ts';

/** When the main function is asked: never, only where the script gives no value, or always. */
type AsksMain = 'never' | 'unless-value' | 'always';

export interface EnteredScript {
  readonly source: string;
  readonly asksMain: AsksMain;
}

const defaultExport = /^export\s+default\b/m;
const namedExport = /^export(?=\s+(?:async\s+function|function|const|let|var|class)\b)/gm;
const assignment = 'this.main =';
const declaredMain = /\bfunction\s*\*?\s*main\s*\(/;
const mentionedMain = /\bmain\s*[(.]/g;

/** The script as it is evaluated; unchanged where it compiles neither way, for its own error. */
export async function enterScript(source: string, compiles: Compiles): Promise<EnteredScript> {
  const script = await withoutExports(source, compiles);
  const exported = script !== source && defaultExport.test(source);
  const calls = script.match(mentionedMain)?.length ?? 0;
  const declares = declaredMain.test(script) && calls === 1;
  if (exported) return { source: await withTopLevelAwait(script, compiles), asksMain: 'always' };
  if (!declares) return { source: await withTopLevelAwait(script, compiles), asksMain: 'never' };
  const awaiting = await withTopLevelAwait(script, compiles);
  if (awaiting === script) return { source: script, asksMain: 'unless-value' };
  // Inside a function the declaration is not seen from outside unless it is handed out.
  const handing = await withTopLevelAwait(`${script}\n${assignment} main`, compiles);
  return { source: handing, asksMain: 'always' };
}

async function withoutExports(source: string, compiles: Compiles): Promise<string> {
  if (!/^export\b/m.test(source)) return source;
  // Then the word is inside a text.
  if (await compiles(`(async () => {${source}\n})`)) return source;
  return source
    .replace(defaultExport, (found) => assignment.padEnd(found.length))
    .replace(namedExport, (found) => ' '.repeat(found.length));
}
