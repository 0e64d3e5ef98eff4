import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorsDocFile, errorsDocText } from '../../scripts/errors-doc.ts';
import { errorCatalogue, exitStatus } from '../../src/kernel/errors.ts';
import { readFiles, withoutComments } from './source-tree.ts';

describe('the catalogue of errors', () => {
  const codes = Object.keys(errorCatalogue);

  it('is what docs/errors.md says (npm run docs)', () => {
    expect(readFileSync(errorsDocFile, 'utf8')).toBe(errorsDocText());
  });

  it('is documented code by code, with every exit status', () => {
    const text = errorsDocText();
    for (const code of codes) expect(text).toContain(`\`${code}\``);
    for (const status of Object.values(exitStatus)) expect(text).toContain(`\n| ${status} | `);
  });

  it('has no code that nothing uses', () => {
    const code = readFiles(['src', 'bin'], ['.ts', '.js'])
      .filter(({ path }) => path !== 'src/kernel/errors.ts')
      .map(({ text }) => withoutComments(text))
      .join('\n');
    const unused = codes.filter((name) => !new RegExp(`\\b${name}\\b`).test(code));
    expect(unused).toEqual([]);
  });

  it('has an exit status that is no success and a sensible HTTP status for each code', () => {
    for (const [name, entry] of Object.entries(errorCatalogue)) {
      expect(entry.exit, name).not.toBe(exitStatus.ok);
      expect(entry.http, name).toBeGreaterThanOrEqual(400);
      expect(entry.http, name).toBeLessThan(600);
    }
  });
});
