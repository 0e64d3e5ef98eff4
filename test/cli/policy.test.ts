/** `claw policy`, with the real package and real files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testFolder } from '../runtime/running.ts';
import { run } from './harness.ts';

const forbidding =
  '@id("no-hr") forbid (principal, action == Action::"file.read", resource)\nwhen { resource.path like "hr/*" };\n';
const tests = `tests:
  - name: hr is not read
    principal: { name: reader, operations: [file.read] }
    action: file.read
    resource: hr/pay.txt
    expect: deny
    policies: [no-hr]
  - name: others are
    principal: { name: reader, operations: [file.read] }
    action: file.read
    resource: a.txt
    expect: allow
`;

function folder(files: Readonly<Record<string, string>>): string {
  const path = join(testFolder(), 'policies');
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

function json(text: string): unknown {
  return JSON.parse(text);
}

describe('claw policy test', () => {
  test('runs the shipped tests where no path is named', async () => {
    const ended = await run(['policy', 'test', '--json']);
    expect(ended.status).toBe(0);
    expect(json(ended.stdout)).toMatchObject({ failed: 0, problems: [] });
  });

  test('runs the tests of a folder against its policies', async () => {
    const path = folder({ 'own.cedar': forbidding, 'own.tests.yaml': tests });
    const ended = await run(['policy', 'test', path]);
    expect(ended).toMatchObject({ status: 0, stdout: '2 passed, 0 failed\n' });
  });

  test('says which test fails and why', async () => {
    const path = folder({ 'own.cedar': '', 'own.tests.yaml': tests });
    const ended = await run(['policy', 'test', path, '--json']);
    expect(ended.status).toBe(3);
    expect(json(ended.stdout)).toMatchObject({
      passed: 1,
      failed: 1,
      tests: [
        {
          name: 'hr is not read',
          passed: false,
          expected: 'deny',
          problem: 'expected deny, and declared-operations decided allow',
        },
        { name: 'others are', passed: true },
      ],
    });
  });

  test('does not test what is not sound', async () => {
    const path = folder({ 'own.cedar': 'permit (', 'own.tests.yaml': tests });
    const ended = await run(['policy', 'test', path]);
    expect(ended.status).toBe(2);
    expect(ended.stdout).toMatch(/own\.cedar:1:\d+: /);
  });

  test('needs tests', async () => {
    const ended = await run(['policy', 'test', folder({ 'own.cedar': forbidding })]);
    expect(ended.status).toBe(2);
    expect(ended.stderr).toContain('(POLICY_INVALID)');
  });
});

test('claw policy check names the line', async () => {
  const path = folder({
    'own.cedar': 'permit (principal, action, resource)\nwhen { principal.foo };',
  });
  const wrong = await run(['policy', 'check', join(path, 'own.cedar'), '--json']);
  expect(wrong.status).toBe(2);
  expect(json(wrong.stdout)).toMatchObject({ problems: [{ line: 2, column: 8 }] });
  expect((await run(['policy', 'check'])).status).toBe(0);
});

describe('claw policy explain', () => {
  const asked = ['policy', 'explain', '--principal', 'reader', '--action', 'file.read'];

  test('names the policies that decide', async () => {
    const fine = await run([...asked, '--json']);
    expect(json(fine.stdout)).toMatchObject({ allow: true, policies: ['declared-operations'] });
    const above = await run([...asked, '--label', 'secret', '--clearance', 'internal', '--json']);
    expect(json(above.stdout)).toMatchObject({ allow: false, policies: ['label-above-clearance'] });
    const text = await run([...asked, '--operations', 'file.list']);
    expect(text).toMatchObject({ status: 0, stdout: 'deny\nNo policy permits it.\n' });
  });

  test('refuses what is no request', async () => {
    for (const more of [
      ['--egress', 'maybe'],
      ['--label', 'very secret'],
    ]) {
      const ended = await run([...asked, ...more]);
      expect(ended.status).toBe(2);
      expect(ended.stderr).toContain('(USAGE)');
    }
  });
});

test('claw policy list shows what is in force, as the configuration says', async () => {
  const path = folder({ 'own.cedar': forbidding });
  const config = join(path, 'config.yaml');
  writeFileSync(config, 'policies: own.cedar\n');
  const ended = await run(['policy', 'list', '--config', config, '--json']);
  const { policies } = json(ended.stdout) as { policies: { id: string }[] };
  expect(policies.map(({ id }) => id)).toContain('no-hr');
  expect(policies.map(({ id }) => id)).toContain('label-above-clearance');
});
