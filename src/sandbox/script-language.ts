/** The languages of scripts that bring no isolate: what runs them, and where it is. */
import { accessSync, constants } from 'node:fs';

export const scriptLanguages = ['sh', 'bash', 'py'] as const;
export type ScriptLanguage = (typeof scriptLanguages)[number];

/** A program that runs a script, by its path, with the words before the script's own name. */
export interface Interpreter {
  readonly file: string;
  readonly args: readonly string[];
}

/** Only what the system installed: nothing that a user's own PATH names. */
const folders = ['/usr/bin', '/bin', '/usr/local/bin'];

const programs: Readonly<Record<ScriptLanguage, { name: string; args: readonly string[] }>> = {
  sh: { name: 'sh', args: [] },
  bash: { name: 'bash', args: ['--noprofile', '--norc'] },
  // No user's site folder, and no compiled files beside the script.
  py: { name: 'python3', args: ['-s', '-B'] },
};

/** The name under which people know the program of a language. */
export function programName(language: ScriptLanguage): string {
  return programs[language].name;
}

export function findInterpreter(language: ScriptLanguage): Interpreter | null {
  const { name, args } = programs[language];
  const file = findProgram(name);
  return file === null ? null : { file, args };
}

/** Absolute path of a program of the system, or null. */
function findProgram(name: string): string | null {
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder.
    }
  }
  return null;
}
