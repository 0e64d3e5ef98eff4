/**
 * The laws of the project that code can break silently, each as a function
 * from sources to violations, so that each can be shown to fail.
 */
import {
  importsOf,
  resolveFrom,
  type SourceFile,
  withoutComments,
  workersOf,
} from './source-tree.ts';

const layers = [
  'kernel',
  'bus',
  'journal',
  'identity',
  'actors',
  'inference',
  'sandbox',
  'actuators',
  'runtime',
  'api',
  'cli',
];
const lineCountMax = 400;
/** Tables, which are looked up and not read. */
const tables = ['src/kernel/errors.ts', 'src/kernel/limits.ts'];

/** Packages that pure code may import: none of them reads a clock, randomness or the outside. */
/** Functions of their input alone; ajv compiles a schema to one. */
const purePackages = ['xstate', 'zod', 'mustache', 'ajv/dist/2020.js'];
/** Below the actors everything is reachable but these, which read a clock or randomness. */
const impureNames = /\b(systemClock|newRunId)\b/;
const impureCode: readonly (readonly [string, RegExp])[] = [
  ['a clock', /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)|\bperformance\b|\bhrtime\b/],
  ['randomness', /\bMath\.random\b|\bcrypto\b|\brandomUUID|\brandomBytes\b/],
  ['a timer', /\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bAtomics\.wait/],
  ['the process', /\bprocess\.|\bglobalThis\b/],
  ['the network', /\bfetch\(|\bWebSocket\b/],
  ['a machine that waits by itself', /\binvoke\s*:|\bafter\s*:\s*\{/],
];

function layerOf(path: string): number {
  const [top, folder] = path.split('/');
  return top === 'src' ? layers.indexOf(folder ?? '') : -1;
}

/** Imports that point upward, and folders that have no place in the order. */
export function upwardImports(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const layer = layerOf(file.path);
    if (layer < 0) return [`${file.path} is in no layer`];
    return importsOf(file.text)
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ specifier }) => resolveFrom(file.path, specifier))
      .filter((target) => layerOf(target) > layer || layerOf(target) < 0)
      .map((target) => `${file.path} imports ${target}`);
  });
}

/** Relative imports without extension, which Node does not resolve. */
export function importsWithoutExtension(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(file.text)
      .filter(
        ({ specifier }) => specifier.startsWith('.') && !/\.(ts|js|mjs|json)$/.test(specifier),
      )
      .map(({ specifier }) => `${file.path} imports ${specifier}`),
  );
}

/** Words of higher layers in the bus, which has never heard of them. */
export function foreignWordsInBus(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => file.path.startsWith('src/bus/'))
    .filter((file) => /\b(agent|actor)|Agent|Actor/.test(file.text))
    .map((file) => `${file.path} speaks of agents or actors`);
}

/** Whatever would make a transition give another result the second time (law D1). */
export function impurities(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => file.path.startsWith('src/actors/'))
    .flatMap((file) => {
      const code = withoutComments(file.text);
      const packages = importsOf(file.text)
        .filter(({ specifier }) => !specifier.startsWith('.') && !purePackages.includes(specifier))
        .map(({ specifier }) => `${file.path} imports ${specifier}`);
      const uses = impureCode
        .filter(([, pattern]) => pattern.test(code))
        .map(([what]) => `${file.path} uses ${what}`);
      const names = impureNames.test(code) ? [`${file.path} uses a clock or random ids`] : [];
      return [...packages, ...uses, ...names];
    });
}

/** Files that no entry point reaches through imports and worker starts. */
export function unreachedFiles(
  files: readonly SourceFile[],
  entries: readonly SourceFile[],
): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const open = [...entries];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const { path, text } = file;
    const targets = [
      ...importsOf(text).map(({ specifier }) => resolveFrom(path, specifier)),
      ...workersOf(text).map((name) => resolveFrom(path, `./${name}.ts`)),
    ];
    for (const target of targets) {
      const next = byPath.get(target);
      if (next === undefined || reached.has(target)) continue;
      reached.add(target);
      open.push(next);
    }
  }
  return files.map((file) => file.path).filter((path) => !reached.has(path));
}

export function longFiles(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => !tables.includes(file.path))
    .map((file) => ({ path: file.path, lines: file.text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > lineCountMax)
    .map(({ path, lines }) => `${path} has ${lines} lines`);
}

/** Only the command line owns the terminal; its stdout is one JSON object with --json. */
export function consoleUses(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => !file.path.startsWith('src/cli/'))
    .filter((file) =>
      /\bconsole\.(log|info|warn|error|debug|table|dir|trace)\(/.test(withoutComments(file.text)),
    )
    .map((file) => `${file.path} writes to the console`);
}

/** Paths of one machine and hosts of package registries, which mean nothing to anybody else. */
export function machineText(files: readonly SourceFile[]): string[] {
  const folders = ['work', 'root', 'Users'].map((name) => `/${name}/`);
  const hosts = ['registry', 'artifactory', 'nexus', 'verdaccio'].map((name) => `${name}.`);
  const paths = new RegExp(`(?<![\\w.*~-])(${folders.join('|')}|/home/[a-z])`);
  const urls = new RegExp(`https?://[\\w.-]*(${hosts.join('|')})|\\b${hosts[0]}npmjs`);
  return files.flatMap((file) =>
    file.text
      .split('\n')
      .map((line, index) => ({ line, place: `${file.path}:${index + 1}` }))
      .filter(({ line }) => paths.test(line) || urls.test(line))
      .map(({ place }) => `${place} names a machine's path or a registry`),
  );
}
