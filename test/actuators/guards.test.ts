/**
 * Goal: the gateway refuses what is above the clearance that is attested for its actor and
 * what policies deny, whoever signed it. Method: a real gateway with real keys, the
 * shipped policies, and an actuator of the test's own that counts.
 */
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { pipelineDefinitionSchema } from '../../src/actors/pipeline-definition.ts';
import { type Actuator, operation } from '../../src/actuators/actuator.ts';
import { clearanceGuard } from '../../src/actuators/clearance-guard.ts';
import { ActuatorGateway } from '../../src/actuators/gateway.ts';
import { policyGuard } from '../../src/actuators/policy-guard.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type ActorSequence, actorId, intentionKey, newRunId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { policyFilesAt } from '../../src/runtime/policy/policy-files.ts';
import { openPolicySet, type PolicySet } from '../../src/runtime/policy/policy-set.ts';
import { RunProfiles } from '../../src/runtime/run-profiles.ts';
import { credentialsFor, newIdentityVerifier } from './credentials.ts';

const run = newRunId();
let policies: PolicySet;
beforeAll(async () => {
  policies = await openPolicySet(policyFilesAt([]));
});

const definition = JSON.stringify(
  pipelineDefinitionSchema.parse({
    name: 'p',
    input: { defaultLabel: 'public' },
    agents: { low: { prompt: 'x' }, high: { prompt: 'x', clearance: 'secret' } },
    steps: [
      { id: 'below', agent: 'low', map: 'documents' },
      { id: 'above', agent: 'high', map: 'documents' },
    ],
  }),
);
const unlabelled = definition
  .replace(',"clearance":"secret"', '')
  .replace(',"defaultLabel":"public"', '');

const above = actorId('run/document-1/supervisor/above');
const below = actorId('run/document-1/supervisor/below');

/** Counts what was carried out; takes whatever it is given. */
function counting(name: string, operations: readonly string[], carried: string[]): Actuator {
  const go = (of: string) =>
    operation({
      effect: 'pure',
      arguments: z.json(),
      result: z.strictObject({}),
      async perform() {
        carried.push(`${name}.${of}`);
        return {};
      },
    });
  return { name, operations: Object.fromEntries(operations.map((of) => [of, go(of)])) };
}

interface Wanted {
  readonly actor?: string;
  readonly what: string;
  readonly given?: JsonObject;
  readonly guards?: readonly ('clearance' | 'policies')[];
  /** Null: main has not said who is who. */
  readonly definition?: string | null;
}

async function perform({ actor = above, what, given = {}, guards, ...wanted }: Wanted) {
  const carried: string[] = [];
  const id = actorId(actor);
  const profiles = new RunProfiles();
  const text = wanted.definition === undefined ? definition : wanted.definition;
  if (text !== null) profiles.set(run, text);
  const all = {
    clearance: clearanceGuard(profiles),
    policies: policyGuard({ policies, actors: profiles }),
  };
  const names = guards ?? (['clearance', 'policies'] as const);
  const gateway = new ActuatorGateway({
    actuators: [
      counting('inference', ['generate'], carried),
      counting('blobs', ['read'], carried),
      counting('http', ['fetch'], carried),
      counting('file', ['read'], carried),
    ],
    identities: newIdentityVerifier(),
    guard: { seen: async () => null, refused: async () => undefined },
    clock: systemClock,
    workspaceOf: () => '/nowhere',
    whenDurable: () => Promise.resolve(),
    journalMode: 'durable',
    guards: names.map((name) => all[name]),
  });
  const [actuator = '', of = ''] = what.split('.');
  const address = { run, actor: id, sequence: 1 as ActorSequence, index: 0 };
  const intention = { key: intentionKey(address), actuator, operation: of, arguments: given };
  const outcome = await gateway.perform({
    ...address,
    ...intention,
    effect: 'pure',
    journalPosition: 1,
    credentials: await credentialsFor(
      { run, actor: id, ...intention },
      profiles.attested(run, id)?.clearance?.of ?? '',
    ),
  });
  await gateway.close();
  const came = outcome.status === 'completed' ? 'completed' : outcome.error.code;
  const message = outcome.status === 'completed' ? '' : outcome.error.message;
  expect(carried).toEqual(came === 'completed' ? [what] : []);
  return { came, message };
}

test('what the actor is cleared for is carried out', async () => {
  const label = 'secret';
  expect(await perform({ what: 'inference.generate', given: { label } })).toMatchObject({
    came: 'completed',
  });
});

test.each([
  ['a label above the clearance', { label: 'internal' }],
  ['a label that no level has', { label: 'misspelt' }],
  ['no label', {}],
  ['a label that is no text', { label: ['public'] }],
])('%s is refused, though it is signed', async (_, given) => {
  const wanted = { actor: below, what: 'inference.generate', given };
  const { came, message } = await perform({ ...wanted, guards: ['clearance'] });
  expect(came).toBe('CLEARANCE_INSUFFICIENT');
  expect(message).not.toBe('');
});

test('an actor that the definition does not explain, or an unknown run, is refused', async () => {
  const given = { label: 'public' };
  const what = 'inference.generate';
  for (const guards of [['clearance'], ['policies']] as const) {
    const stranger = await perform({
      actor: 'run/document-1/supervisor/none',
      what,
      given,
      guards,
    });
    const unknown = await perform({ what, given, guards, definition: null });
    const code = guards[0] === 'clearance' ? 'CLEARANCE_INSUFFICIENT' : 'POLICY_DENIED';
    expect([stranger.came, unknown.came]).toEqual([code, code]);
  }
});

test('without labels nobody asks for one', async () => {
  const found = await perform({ what: 'inference.generate', definition: unlabelled });
  expect(found.came).toBe('completed');
});

test('policies see the label too, and name themselves', async () => {
  const wanted = { actor: below, what: 'inference.generate', given: { label: 'secret' } };
  expect(await perform({ ...wanted, guards: ['policies'] })).toEqual({
    came: 'POLICY_DENIED',
    message: 'The policy label-above-clearance forbids inference.generate.',
  });
  // Without one it is not higher than any clearance: the other guard refuses that.
  expect((await perform({ ...wanted, given: {}, guards: ['policies'] })).came).toBe('completed');
});

test('an operation that the pipeline does not declare is denied', async () => {
  const given = { path: 'a', label: 'public' };
  expect(await perform({ what: 'file.read', given })).toEqual({
    came: 'POLICY_DENIED',
    message: 'No policy permits file.read.',
  });
  const outside = { url: 'https://example.com/', label: 'public' };
  expect((await perform({ what: 'http.fetch', given: outside })).came).toBe('POLICY_DENIED');
});

test('an agent reads no text by its hash, whatever label it says', async () => {
  const given = { hashes: ['0'.repeat(64)], label: 'public' };
  const { came, message } = await perform({ what: 'blobs.read', given });
  expect([came, message]).toEqual([
    'POLICY_DENIED',
    'The policy texts-for-pipelines-alone forbids blobs.read.',
  ]);
  expect((await perform({ actor: 'run/document-1', what: 'blobs.read', given })).came).toBe(
    'completed',
  );
});
