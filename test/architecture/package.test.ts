import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { benchmarksDocFile, benchmarksDocText } from '../../scripts/benchmarks-doc.ts';
import { noticesFile, noticesText } from '../../scripts/third-party-notices.ts';
import { root } from './source-tree.ts';

const manifest = z
  .object({
    license: z.string(),
    files: z.array(z.string()),
    engines: z.object({ node: z.string() }),
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));

describe('the package', () => {
  it('pins every dependency exactly', () => {
    const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  it('brings its licence and those of others', () => {
    expect(manifest.license).toBe('Apache-2.0');
    expect(readFileSync(join(root, 'LICENSE'), 'utf8')).toContain('Version 2.0, January 2004');
    expect(readFileSync(noticesFile, 'utf8')).toBe(noticesText());
  });

  it('quotes the figures of its benchmarks as they were measured', () => {
    expect(readFileSync(benchmarksDocFile, 'utf8')).toBe(benchmarksDocText());
  });

  it('gives notice of every dependency with its version', () => {
    const text = noticesText();
    for (const [name, version] of Object.entries(manifest.dependencies)) {
      expect(text).toMatch(new RegExp(`\\| \\[?${name}\\]?[^|]*\\| ${version} \\|`));
    }
    for (const name of Object.keys(manifest.devDependencies)) {
      expect(text).not.toMatch(new RegExp(`\\| \\[?${name}\\]?[^|]*\\| \\d`));
    }
  });

  it('lists only files that exist, apart from what the build makes', () => {
    const listed = manifest.files.filter((name) => !name.includes('*') && name !== 'dist');
    expect(listed.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  });
});
