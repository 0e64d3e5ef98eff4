import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { copyReport } from '../../src/cli/report-file.ts';

test('a copy that fails leaves nothing half done and names the report', () => {
  const folder = mkdtempSync(join(tmpdir(), 'claw-report-'));
  try {
    writeFileSync(join(folder, 'report.md'), 'text');
    mkdirSync(join(folder, 'taken'));
    expect(() => copyReport(join(folder, 'report.md'), join(folder, 'taken'))).toThrow(
      expect.objectContaining({
        code: 'OUTPUT_NOT_WRITABLE',
        message: expect.stringContaining(join(folder, 'report.md')),
      }),
    );
    expect(readdirSync(folder).sort()).toEqual(['report.md', 'taken']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
