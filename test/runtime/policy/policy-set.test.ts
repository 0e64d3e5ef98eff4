/** Policies as files: what is refused and where, what is decided and by whom. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { PolicyRequest } from '../../../src/actuators/policy.ts';
import { limits } from '../../../src/kernel/limits.ts';
import {
  policiesFolder,
  policyFilesAt,
  policyFilesInForce,
  policySetHash,
  shippedTests,
} from '../../../src/runtime/policy/policy-files.ts';
import {
  openPolicySet,
  policyProblems,
  problemText,
} from '../../../src/runtime/policy/policy-set.ts';
import { readPolicyTests, runPolicyTests } from '../../../src/runtime/policy/policy-tests.ts';

function folder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'claw-policies-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

function open(text: string) {
  return openPolicySet(policyFilesAt([join(folder({ 'own.cedar': text }), 'own.cedar')]));
}

const request: PolicyRequest = {
  principal: {
    run: 'r',
    actor: 'run/supervisor/read',
    kind: 'agent',
    name: 'reader',
    pipeline: 'inbox',
    clearance: 1,
    level: 'internal',
    operations: ['file.read'],
  },
  action: 'file.read',
  resource: { type: 'File', path: 'hr/pay.txt' },
  context: { effect: 'pure', label: 0, labelName: 'public' },
};

test('the shipped policies are sound and do what their tests say', async () => {
  const files = policyFilesAt([]);
  expect(await policyProblems(files)).toEqual([]);
  const set = await openPolicySet(files);
  const reports = runPolicyTests(shippedTests, readPolicyTests(shippedTests), set);
  expect(reports.filter(({ passed }) => !passed)).toEqual([]);
  expect(reports.length).toBeGreaterThan(8);
  const decided = new Set(reports.flatMap(({ decision }) => decision.policies));
  expect(set.policies.map(({ id }) => id).filter((id) => !decided.has(id))).toEqual([]);
});

describe('more policies', () => {
  test('forbid what the shipped ones permit, by path, name and pipeline', async () => {
    const set = await open(`
      @id("no-hr") forbid (principal, action == Action::"file.read", resource)
      when { resource.path like "hr/*" };
      @id("no-strangers") forbid (principal, action, resource)
      when { principal.pipeline != "inbox" };`);
    expect(set.decide(request)).toEqual({ allow: false, policies: ['no-hr'], errors: [] });
    const elsewhere: PolicyRequest = { ...request, resource: { type: 'File', path: 'a.txt' } };
    expect(set.decide(elsewhere)).toMatchObject({ allow: true, policies: ['declared-operations'] });
    const other = { ...request.principal, pipeline: 'other' };
    expect(set.decide({ ...elsewhere, principal: other }).policies).toEqual(['no-strangers']);
  });

  test('permit more, and never what a shipped one forbids', async () => {
    const set = await open('@id("all") permit (principal, action, resource);');
    const undeclared = { ...request, principal: { ...request.principal, operations: [] } };
    expect(set.decide(undeclared)).toMatchObject({ allow: true, policies: ['all'] });
    const above = { ...request, context: { ...request.context, label: 2 } };
    expect(set.decide(above).policies).toEqual(['label-above-clearance']);
  });

  test('know runs, grants and servers', async () => {
    const set = await open(`
      @id("one-run") forbid (principal in Run::"r", action == Action::"file.read", resource);
      @id("not-by-this") forbid (principal, action == Action::"http.fetch", resource)
      when { context has grant && context.grant == Grant::"g1" && resource.host == "example.com" };`);
    expect(set.decide(request).policies).toEqual(['one-run']);
    const fetching: PolicyRequest = {
      principal: { ...request.principal, operations: ['http.fetch'] },
      action: 'http.fetch',
      resource: { type: 'Host', host: 'example.com', port: 443, scheme: 'https', path: '/' },
      context: { ...request.context, egress: 'granted', grant: 'g1' },
    };
    expect(set.decide(fetching).policies).toEqual(['not-by-this']);
    const other = { ...fetching, context: { ...fetching.context, grant: 'g2' } };
    expect(set.decide(other).allow).toBe(true);
  });

  test('without an id are named by their file and place', async () => {
    const set = await open('forbid (principal, action == Action::"file.read", resource);');
    expect(set.decide(request).policies).toEqual([expect.stringMatching(/own\.cedar#1$/)]);
  });

  test('that cannot be evaluated deny, though something else permits', async () => {
    // Strict validation finds most of it, but not what overflows.
    const set = await open(`
      @id("broken") forbid (principal, action, resource)
      when { context.label + 9223372036854775807 < 0 };`);
    const one = { ...request, context: { ...request.context, label: 1 } };
    expect(set.decide(one)).toMatchObject({ allow: false });
    expect(set.decide(one).errors.join()).toContain('broken');
    expect(set.decide(request).allow).toBe(true);
  });

  test('are not asked about an action or value that Cedar does not take', async () => {
    const set = await open('@id("all") permit (principal, action, resource);');
    const context = { ...request.context, label: 0.5 };
    const decision = set.decide({ ...request, context });
    expect(decision.allow).toBe(false);
    expect(decision.errors).not.toEqual([]);
  });
});

test('the same question has the same answer, and any other one its own', async () => {
  const set = await open(
    'forbid (principal, action, resource is File) when { resource.path like "hr/*" && principal.name == "reader" && context.label == 0 && principal.pipeline == "inbox" };',
  );
  const denied = set.decide(request);
  expect(denied.allow).toBe(false);
  const others: readonly PolicyRequest[] = [
    { ...request, resource: { type: 'File', path: 'public/pay.txt' } },
    { ...request, principal: { ...request.principal, name: 'other' } },
    { ...request, principal: { ...request.principal, pipeline: 'other' } },
    { ...request, context: { ...request.context, label: 1, labelName: 'internal' } },
  ];
  for (let round = 0; round < 2; round += 1) {
    for (const other of others) expect(set.decide(other).allow).toBe(true);
    expect(set.decide(structuredClone(request))).toEqual(denied);
  }
});

describe('a set is refused', () => {
  test.each([
    [
      'a fault of the text',
      'permit (principal, action, resource',
      /own\.cedar:1:\d+: .*unexpected end/,
    ],
    [
      'an attribute that the schema does not have',
      '// é\npermit (principal, action, resource)\nwhen { principal.foo };',
      /own\.cedar:3:8: .*attribute `foo`/,
    ],
    [
      'an action that is none',
      'permit (principal, action == Action::"file.burn", resource);',
      /own\.cedar:1:\d+: .*unrecognized action/,
    ],
    [
      'a forbid that can never hold',
      'forbid (principal, action == Action::"file.read", resource is Host);',
      /own\.cedar:1:1: /,
    ],
    [
      'a policy of the same id as another',
      '@id("label-above-clearance") permit (principal, action, resource);',
      /own\.cedar: the id "label-above-clearance" is that of a policy of .*default\.cedar as well/,
    ],
    [
      'a template',
      '@id("t") permit (principal == ?principal, action, resource);',
      /own\.cedar: .*includes a template/,
    ],
  ])('for %s, with the place', async (_, text, message) => {
    await expect(open(text)).rejects.toMatchObject({ code: 'POLICY_INVALID' });
    await expect(open(text)).rejects.toThrow(message);
  });

  test('with everything that is wrong, by file', async () => {
    const path = folder({
      'a.cedar': 'permit (x',
      'b.cedar': 'permit (principal, action, resource) when { principal.x };',
    });
    const problems = await policyProblems(
      policyFilesAt([join(path, 'a.cedar'), join(path, 'b.cedar')]),
    );
    expect(
      problems.map(problemText).map((text) => text.slice(path.length + 1, path.length + 8)),
    ).toEqual(['a.cedar', 'b.cedar']);
  });
});

describe('files', () => {
  test('of the data directory and of the configuration are in force beside the shipped ones', () => {
    const data = folder();
    mkdirSync(policiesFolder(data));
    writeFileSync(join(policiesFolder(data), 'a.cedar'), '// a');
    writeFileSync(join(policiesFolder(data), 'a.tests.yaml'), 'tests: []');
    const configured = folder({ 'z.cedar': '// z', 'readme.md': '' });
    const names = (files: readonly { file: string }[]) =>
      files.map(({ file }) => file.split('/').at(-1));
    expect(names(policyFilesInForce(data))).toEqual(['default.cedar', 'a.cedar']);
    expect(names(policyFilesInForce(data, configured))).toEqual([
      'default.cedar',
      'a.cedar',
      'z.cedar',
    ]);
    const one = join(configured, 'z.cedar');
    expect(names(policyFilesInForce(data, one))).toEqual(['default.cedar', 'a.cedar', 'z.cedar']);
    expect(policySetHash(policyFilesInForce(data))).not.toBe(
      policySetHash(policyFilesInForce(data, one)),
    );
  });

  test('named default.cedar take the place of the shipped ones', async () => {
    const own = folder({ 'default.cedar': '@id("none") forbid (principal, action, resource);' });
    const set = await openPolicySet(policyFilesInForce(folder(), own));
    expect(set.policies.map(({ id }) => id)).toEqual(['none']);
  });

  test('that are named and are not there, are no text, or are too many, refuse', () => {
    const refusal = (act: () => unknown): unknown => {
      try {
        return act();
      } catch (error) {
        return (error as { code?: string }).code;
      }
    };
    expect(refusal(() => policyFilesInForce(folder(), '/nowhere/x.cedar'))).toBe('POLICY_INVALID');
    const binary = join(folder(), 'x.cedar');
    writeFileSync(binary, Buffer.from([0xff, 0xfe]));
    expect(refusal(() => policyFilesAt([binary]))).toBe('POLICY_INVALID');
    const large = folder({ 'x.cedar': ' '.repeat(limits.policyBytesMax) });
    expect(refusal(() => policyFilesAt([join(large, 'x.cedar')]))).toBe('POLICY_INVALID');
    const many = Array.from({ length: limits.policyFilesMax }, (_, index) => `/x/${index}.cedar`);
    expect(refusal(() => policyFilesAt(many))).toBe('POLICY_INVALID');
  });

  test('of tests are read strictly', () => {
    const read = (text: string): string => {
      try {
        readPolicyTests(join(folder({ 'x.tests.yaml': text }), 'x.tests.yaml'));
        return 'read';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const fine = 'tests: [{ name: a, principal: {}, action: file.read, expect: allow }]';
    expect(read(fine)).toBe('read');
    expect(read(fine.replace('allow', 'maybe'))).toContain('tests.0.expect');
    expect(read(fine.replace('principal', 'principle'))).toContain('tests.0');
    expect(read('tests: [')).toMatch(/x\.tests\.yaml:1:\d+: /);
    expect(read('tests: []')).toContain('tests');
  });
});

test('where the package does not load nothing is let through', () => {
  const set = fileURLToPath(new URL('../../../src/runtime/policy/policy-set.ts', import.meta.url));
  const program = `
    import { registerHooks } from 'node:module';
    registerHooks({ resolve(name, context, next) {
      if (name.startsWith('@cedar-policy/')) throw new Error('gone');
      return next(name, context);
    } });
    const { openPolicySet } = await import(${JSON.stringify(set)});
    await openPolicySet([]).catch((error) => console.log(error.code));`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  expect(ended.stdout).toBe('NATIVE_PACKAGE_MISSING\n');
});
