/** Policies in a whole runtime: at its start, in its runs, and in what its journal says. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  policiesFolder,
  policyFilesInForce,
  policySetHash,
} from '../../../src/runtime/policy/policy-files.ts';
import { deskTexts, journalOf, makeDesk, openRuntime, runToEnd } from '../running.ts';

function withPolicies(text: string) {
  const desk = makeDesk(deskTexts(2));
  const folder = policiesFolder(desk.dataDirectory);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'own.cedar'), text);
  return desk;
}

test('what a policy forbids is not carried out, and everything else is', async () => {
  const { dataDirectory, request } = withPolicies(
    '@id("no-scripts") forbid (principal, action == Action::"sandbox.run", resource);',
  );
  const runtime = await openRuntime(dataDirectory);
  const run = await runToEnd(runtime, request);
  expect(run.status).toBe('succeeded');
  const effects = runtime.effects(run.id);
  const scripts = effects.filter(({ operation }) => operation === 'sandbox.run');
  expect(scripts).toHaveLength(2);
  for (const { status, code } of scripts)
    expect([status, code]).toEqual(['refused', 'POLICY_DENIED']);
  const others = effects.filter(({ operation }) => operation !== 'sandbox.run');
  expect(others.filter(({ status }) => status !== 'completed')).toEqual([]);
  const told = runtime
    .events(run.id, { from: 1, limit: 1_000 })
    .flatMap(({ event }) => (event.type === 'step-done' ? [JSON.stringify(event.result)] : []));
  expect(told.join()).toContain('The policy no-scripts forbids sandbox.run.');

  // The first record says which policies were in force.
  const { policies } = journalOf(dataDirectory).entry(run.id).started;
  const files = policyFilesInForce(dataDirectory);
  expect(policies).toEqual({ sha256: policySetHash(files), texts: files.map(({ text }) => text) });
});

test('a runtime does not start with policies that are wrong, and gives everything back', async () => {
  const { dataDirectory } = withPolicies(
    'permit (principal, action, resource) when { principal.foo };',
  );
  const start = () => openRuntime(dataDirectory);
  await expect(start()).rejects.toMatchObject({ code: 'POLICY_INVALID' });
  await expect(start()).rejects.toThrow(/own\.cedar:1:\d+: .*attribute `foo`/);
  writeFileSync(join(policiesFolder(dataDirectory), 'own.cedar'), '');
  expect((await start()).health().status).toBe('ok');
});
