import { describe, expect, it } from 'vitest';
import {
  consoleUses,
  foreignWordsInBus,
  importsWithoutExtension,
  impurities,
  longFiles,
  machineText,
  unreachedFiles,
  upwardImports,
} from './rules.ts';
import {
  importsOf,
  readFiles,
  readTopLevelFiles,
  type SourceFile,
  withoutComments,
  workersOf,
} from './source-tree.ts';

const sources = readFiles(['src'], ['.ts']);
const entry = readFiles(['bin'], ['.js']);

function file(path: string, text: string): SourceFile {
  return { path, text };
}

describe('the sources', () => {
  it('are found', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(entry.map(({ path }) => path)).toContain('bin/claw.js');
  });

  it('import downward only', () => {
    expect(upwardImports(sources)).toEqual([]);
  });

  it('import files with their extension', () => {
    expect(importsWithoutExtension(sources)).toEqual([]);
  });

  it('keep the bus free of agents and actors', () => {
    expect(foreignWordsInBus(sources)).toEqual([]);
  });

  it('keep the actors pure', () => {
    expect(impurities(sources)).toEqual([]);
  });

  it('are all reached from the command', () => {
    // bin/claw.js chooses at run time between the sources and what was compiled from them.
    const command = file('bin/claw.js', "import '../src/cli/main.ts';");
    expect(unreachedFiles(sources, [command])).toEqual([]);
  });

  it('are short enough to read once', () => {
    expect(longFiles(sources)).toEqual([]);
  });

  it('leave the terminal to the command line', () => {
    expect(consoleUses(sources)).toEqual([]);
  });

  it('name no path of a machine and no registry', () => {
    const folders = ['src', 'bin', 'test', 'bench', 'scripts', 'docs', 'examples', '.ci'];
    const texts = readFiles(folders, [
      '.ts',
      '.js',
      '.mjs',
      '.md',
      '.json',
      '.yaml',
      '.txt',
      'run',
    ]);
    // The lockfile may say where packages lie.
    const top = readTopLevelFiles(['.md', '.json']).filter(
      ({ path }) => path !== 'package-lock.json',
    );
    expect(machineText([...texts, ...top])).toEqual([]);
  });
});

describe('each rule can fail', () => {
  it('upward imports, also of types and by import()', () => {
    expect(
      upwardImports([
        file('src/bus/a.ts', "import type { X } from '../journal/x.ts';"),
        file('src/bus/b.ts', "import {\n  a,\n  b,\n} from '../cli/x.ts';"),
        file('src/bus/c.ts', "const x = await import('../runtime/x.ts');"),
        file('src/bus/d.ts', "export * from '../actors/x.ts';"),
        file('src/bus/e.ts', "import { x } from '../../test/x.ts';"),
        file('src/stray/f.ts', ''),
        file('src/journal/fine.ts', "import { x } from '../bus/x.ts';\n// import '../cli/x.ts'"),
      ]),
    ).toEqual([
      'src/bus/a.ts imports src/journal/x.ts',
      'src/bus/b.ts imports src/cli/x.ts',
      'src/bus/c.ts imports src/runtime/x.ts',
      'src/bus/d.ts imports src/actors/x.ts',
      'src/bus/e.ts imports test/x.ts',
      'src/stray/f.ts is in no layer',
    ]);
  });

  it('imports without extension', () => {
    expect(
      importsWithoutExtension([file('src/bus/a.ts', "import { x } from './x';")]),
    ).toHaveLength(1);
  });

  it('foreign words in the bus', () => {
    const words = ['agent', 'an actor', 'type ActorId', 'subAgents'];
    const fine = ['factor', 'refactoring', 'contractor'];
    const files = (list: string[]): SourceFile[] => list.map((text) => file('src/bus/a.ts', text));
    expect(foreignWordsInBus(files(words))).toHaveLength(words.length);
    expect(foreignWordsInBus(files(fine))).toEqual([]);
  });

  it.each([
    'Date.now()',
    'new Date()',
    'performance.now()',
    'Math.random()',
    'crypto.randomUUID()',
    'setTimeout(f, 1)',
    'process.env.X',
    'globalThis.x',
    'fetch(url)',
    'const m = { invoke: { src: x } };',
    'const m = { after: { 100: x } };',
    "import { readFileSync } from 'node:fs';",
    "import { Worker } from 'node:worker_threads';",
    "import { setTimeout as wait } from 'node:timers/promises';",
    "import { hash } from 'node:crypto';",
    "import { parse } from 'yaml';",
    "const fs = await import('node:fs');",
    "import { systemClock } from '../kernel/clock.ts';",
    "import { newRunId } from '../kernel/ids.ts';",
  ])('impurity: %s', (text) => {
    expect(impurities([file('src/actors/deep/a.ts', text)]).length).toBeGreaterThan(0);
    expect(impurities([file('src/runtime/a.ts', text)])).toEqual([]);
  });

  it('impurity is not seen in comments and pure imports', () => {
    const text = "import { z } from 'zod';\n// Math.random() is not used\n/* setTimeout */\n";
    expect(impurities([file('src/actors/a.ts', text)])).toEqual([]);
  });

  it('files that nothing reaches', () => {
    const files = [
      file('src/cli/main.ts', "import { a } from '../runtime/a.ts';"),
      file('src/runtime/a.ts', "new Worker(siblingModule(import.meta.url, 'entry'));"),
      file('src/runtime/entry.ts', "import type { P } from './protocol.ts';"),
      file('src/runtime/protocol.ts', ''),
      file('src/runtime/dead.ts', "import './dead-too.ts';"),
      file('src/runtime/dead-too.ts', "import './dead.ts';"),
    ];
    const command = file('bin/claw.js', "await import('../src/cli/main.ts');");
    expect(unreachedFiles(files, [command])).toEqual([
      'src/runtime/dead.ts',
      'src/runtime/dead-too.ts',
    ]);
  });

  it('long files', () => {
    expect(longFiles([file('src/bus/a.ts', 'x\n'.repeat(401))])).toHaveLength(1);
    expect(longFiles([file('src/bus/a.ts', 'x\n'.repeat(400))])).toEqual([]);
  });

  it('writes to the console', () => {
    expect(consoleUses([file('src/runtime/a.ts', 'console.log(1)')])).toHaveLength(1);
    expect(consoleUses([file('src/cli/a.ts', 'console.log(1)')])).toEqual([]);
  });

  it('machine paths and registries', () => {
    const slash = '/';
    const bad = [
      `see ${slash}work/main`,
      `"${slash}root/x"`,
      `${slash}home/someone/x`,
      `https:${slash}${slash}registry.example.org/x`,
      `https:${slash}${slash}npm.artifactory.example.org`,
    ];
    for (const text of bad) expect(machineText([file('docs/a.md', text)])).toHaveLength(1);
    const fine = ['src/work/a.ts', 'the network/root/x', '~/.local/share', 'https://fastify.dev/'];
    for (const text of fine) expect(machineText([file('docs/a.md', text)])).toEqual([]);
  });
});

describe('the scanner', () => {
  it('keeps strings and drops comments', () => {
    const text = "const a = '// no'; // yes\nconst b = `/* no */`; /* yes\nyes */ const c = \"'\";";
    const code = withoutComments(text);
    expect(code).toContain("'// no'");
    expect(code).toContain('`/* no */`');
    expect(code).not.toContain('yes');
    expect(code.split('\n')).toHaveLength(3);
  });

  it('tells imports of types from imports of values', () => {
    expect(importsOf("import type { A } from 'a';\nimport b, { type C } from 'b';")).toEqual([
      { specifier: 'a', typeOnly: true },
      { specifier: 'b', typeOnly: false },
    ]);
  });

  it('finds workers over several lines', () => {
    expect(workersOf("siblingModule(\n  import.meta.url,\n  'entry',\n)")).toEqual(['entry']);
  });
});
