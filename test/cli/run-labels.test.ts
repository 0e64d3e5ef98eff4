/** Labels on the command line. */
import { expect, test } from 'vitest';
import { LocalRuntime, run } from './harness.ts';

const words = ['run', 'p.yaml', '--input', 'in'];

test('labels of documents go to whoever starts the run, in their order', async () => {
  const runtime = new LocalRuntime();
  const given = ['--label', 'hr-*=secret', '--label', 'a=b=internal'];
  expect((await run([...words, ...given], { runtime })).status).toBe(0);
  expect(runtime.started[0]?.labels).toEqual([
    { match: 'hr-*', label: 'secret' },
    { match: 'a=b', label: 'internal' },
  ]);
  await run(words, { runtime });
  expect(runtime.started[1]).not.toHaveProperty('labels');
});

test.each(['secret', '=secret', 'hr-*=', 'hr-*=very secret'])('%j is no label', async (text) => {
  const runtime = new LocalRuntime();
  const { status, stderr } = await run([...words, '--label', text], { runtime });
  expect(status).toBe(2);
  expect(stderr).toContain('(USAGE)');
  expect(runtime.started).toEqual([]);
});

test('a label for a release is that of its prompt', async () => {
  const { status, stderr } = await run(['release', 'x', '--label', 'secret']);
  expect(status).toBe(2);
  expect(stderr).toContain('--label is that of --prompt');
});
