/**
 * Writes THIRD_PARTY_NOTICES.md: name, version, licence and copyright line of
 * every package that ships with an installation, read from the lockfile and
 * the installed packages. Packages of one platform only are summarised, so the
 * file is the same wherever it is written.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));
export const noticesFile = new URL('../THIRD_PARTY_NOTICES.md', import.meta.url);

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      license: z.string().optional(),
      dev: z.boolean().optional(),
      devOptional: z.boolean().optional(),
      optional: z.boolean().optional(),
      os: z.array(z.string()).optional(),
      cpu: z.array(z.string()).optional(),
    }),
  ),
});
const person = z.union([z.string(), z.object({ name: z.string().optional() })]);
const manifestSchema = z.object({
  license: z.union([z.string(), z.object({ type: z.string() })]).optional(),
  homepage: z.string().optional(),
  author: person.optional(),
});

interface Notice {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly copyright: string;
  readonly homepage: string;
}

/** The text of THIRD_PARTY_NOTICES.md. Needs the packages installed. */
export function noticesText(): string {
  const lock = lockSchema.parse(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')));
  const notices: Notice[] = [];
  const platform = new Map<string, number>();
  const development = developmentFamilies();
  for (const [path, entry] of Object.entries(lock.packages)) {
    const name = path.split('node_modules/').at(-1) ?? '';
    if (name === '' || development.has(name.split('/')[0] ?? '')) continue;
    if (entry.dev === true || entry.devOptional === true) continue;
    if (entry.os !== undefined || entry.cpu !== undefined) {
      const key = `${name.split('/')[0]} ${entry.version}`;
      platform.set(key, (platform.get(key) ?? 0) + 1);
      continue;
    }
    const folder = join(root, path);
    if (entry.optional === true && !existsSync(folder)) continue;
    notices.push(readNotice(folder, name, entry.version ?? '', entry.license));
  }
  return render(notices, platform);
}

/**
 * Development packages that some other package names as an optional peer; npm
 * does not mark those, nor their platform packages, as for development.
 */
function developmentFamilies(): Set<string> {
  const manifest = z
    .object({ devDependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  const names = Object.keys(manifest.devDependencies).filter((name) => !name.startsWith('@'));
  return new Set(names.flatMap((name) => [name, `@${name}`]));
}

function readNotice(
  folder: string,
  name: string,
  version: string,
  license: string | undefined,
): Notice {
  const manifest = manifestSchema.parse(
    JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
  );
  const declared = typeof manifest.license === 'object' ? manifest.license.type : manifest.license;
  const author = typeof manifest.author === 'object' ? manifest.author.name : manifest.author;
  return {
    name,
    version,
    license: license ?? declared ?? 'see its licence file',
    copyright:
      copyrightLine(folder) ?? (author === undefined ? '' : author.replace(/\s*[<(].*$/, '')),
    homepage: (manifest.homepage ?? '').replace(/#readme$/, ''),
  };
}

/** The first line of the licence file that names an owner. */
function copyrightLine(folder: string): string | null {
  for (const file of readdirSync(folder).sort()) {
    if (!/^(licen[cs]e|copying|notice)/i.test(file)) continue;
    const text = readFileSync(join(folder, file), 'utf8');
    const found = /^\W*(copyright\s+(?:\(c\)|©|\d)[^\n]*(?::\n[^\n]+)?)/im.exec(text)?.[1];
    if (found !== undefined) return withoutAddresses(found);
  }
  return null;
}

/** An owner without mail and web addresses, on one line. */
function withoutAddresses(line: string): string {
  return line
    .replace(/\s*(<[^>]*>|\([^)]*(@|https?:|\.com)[^)]*\)|https?:\/\/\S+)/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

function render(notices: readonly Notice[], platform: ReadonlyMap<string, number>): string {
  const unique = new Map(notices.map((notice) => [`${notice.name}@${notice.version}`, notice]));
  const rows = [...unique.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, notice]) => {
      const name = notice.homepage === '' ? notice.name : `[${notice.name}](${notice.homepage})`;
      return `| ${name} | ${notice.version} | ${notice.license} | ${notice.copyright.replaceAll('|', '/')} |`;
    });
  const summaries = [...platform.entries()].map(
    ([key, count]) => `- ${key}: ${count} package${count === 1 ? '' : 's'}`,
  );
  return `# Third-party notices

OpenClaw is under the Apache License 2.0 (LICENSE). An installation brings the
packages below, each under its own licence; the full texts lie in the packages.

| package | version | licence | copyright |
| --- | --- | --- | --- |
${rows.join('\n')}

## Packages of one platform

npm installs those of the machine at hand; each belongs to the package of the
same family above and shares its licence.

${summaries.join('\n')}
`;
}

if (import.meta.main) writeFileSync(noticesFile, noticesText());
