/** The example of answers that are examined, run as its comment says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openRuntime, runToEnd, testFolder } from '../runtime/running.ts';

const folder = fileURLToPath(new URL('../../examples/second-opinion', import.meta.url));

test('the second opinions are in the report, with what they stand on', async () => {
  const dataDirectory = join(testFolder(), 'data');
  const runtime = await openRuntime(dataDirectory);
  const run = await runToEnd(runtime, {
    pipeline: join(folder, 'pipeline.yaml'),
    input: { folder: join(folder, 'notes') },
    seed: 1,
  });
  expect(run).toMatchObject({ status: 'succeeded', progress: { stepsDone: 10 } });
  const report = readFileSync(join(dataDirectory, 'workspaces', run.id, 'report.md'), 'utf8');
  expect(report).toContain(
    '- Leeds (accepted, 4 more generations): 5 of 5 answers agree on "Leeds".',
  );
  expect(report).toContain('- 73 (accepted): program says true.');
  // Its quote is not the sentence that proves it, and the check sees that.
  expect(report).toContain('- 73 (flagged): critic says {');
  expect(report).toContain('which does not have "73".');
}, 60_000);
