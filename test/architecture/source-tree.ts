/**
 * The sources as text: what each file imports, and what it says apart from
 * comments. A scanner is enough, because the formatter fixes the shapes.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface SourceFile {
  /** From the root of the project, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** Every file below the folders that exist, whose name ends with one of the endings. */
export function readFiles(folders: readonly string[], endings: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    existsSync(join(root, folder)) ? readFolder(folder, endings, true) : [],
  );
}

/** Files of the root folder itself whose name ends with one of the endings. */
export function readTopLevelFiles(endings: readonly string[]): SourceFile[] {
  return readFolder('.', endings, false);
}

function readFolder(folder: string, endings: readonly string[], recursive: boolean): SourceFile[] {
  return readdirSync(join(root, folder), { recursive, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('node_modules'))
    .map((path) => ({
      path: relative(root, path).replaceAll('\\', '/'),
      text: readFileSync(path, 'utf8'),
    }));
}

/** The text with comments blanked; strings stay. Lines keep their numbers. */
export function withoutComments(text: string): string {
  const pattern =
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`)|\/\*[\s\S]*?\*\/|(?<![:\\])\/\/[^\n]*/g;
  return text.replace(pattern, (match, string: string | undefined) =>
    string === undefined ? match.replace(/[^\n]/g, ' ') : match,
  );
}

export interface ImportReference {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Every module that the text imports, exports from, or loads by a literal `import()`. */
export function importsOf(text: string): ImportReference[] {
  const code = withoutComments(text);
  const statements = /^\s*(?:import|export)\s+(type\s)?[^'"`;:=()]*?\bfrom\s+['"]([^'"\n]+)['"]/gm;
  const bare = /^\s*import\s+['"]([^'"\n]+)['"]/gm;
  const calls = /\bimport\(\s*['"]([^'"\n]+)['"]/g;
  return [
    ...[...code.matchAll(statements)].map((match) => ({
      specifier: match[2] ?? '',
      typeOnly: match[1] !== undefined,
    })),
    ...[...code.matchAll(bare)].map((match) => ({ specifier: match[1] ?? '', typeOnly: false })),
    ...[...code.matchAll(calls)].map((match) => ({ specifier: match[1] ?? '', typeOnly: false })),
  ];
}

/** Modules that the text starts as threads or processes, as sibling names. */
export function workersOf(text: string): string[] {
  const calls = /siblingModule\(\s*import\.meta\.url,\s*['"]([^'"]+)['"]/g;
  return [...withoutComments(text).matchAll(calls)].map((match) => match[1] ?? '');
}

/** Path from the root of the project of what a file names relatively. */
export function resolveFrom(file: string, specifier: string): string {
  return posix.join(dirname(file), specifier);
}
