/**
 * What it costs that nobody is trusted: certificate, token and signature of one
 * intention, and every check of the gateway in front of an operation that does
 * nothing, with the policies that ship compiled once: an agent mostly asks the
 * same of them, and the set answers that from memory. Each figure is the p50 of
 * single intentions, one after the other, as an agent asks.
 *
 * `npm run bench:gateway`, `--quick` for a short form.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { z } from 'zod';
import { operation } from '../src/actuators/actuator.ts';
import { clearanceGuard } from '../src/actuators/clearance-guard.ts';
import { ActuatorGateway } from '../src/actuators/gateway.ts';
import { policyGuard } from '../src/actuators/policy-guard.ts';
import { AgentIdentities } from '../src/identity/agent-identities.ts';
import { Authority, AuthorityVerifier } from '../src/identity/authority.ts';
import { IdentityVerifier } from '../src/identity/identity-verifier.ts';
import { signIntention } from '../src/identity/signed-intention.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { type ActorSequence, actorId, intentionKey, newRunId } from '../src/kernel/ids.ts';
import { parsePipelineObject } from '../src/runtime/pipeline-file.ts';
import { policyFilesAt } from '../src/runtime/policy/policy-files.ts';
import { openPolicySet } from '../src/runtime/policy/policy-set.ts';
import { RunProfiles } from '../src/runtime/run-profiles.ts';
import { benchOptions, figure, median, report } from './harness.ts';

const { quick, repetitions } = benchOptions();
const intentionsOfSample = quick ? 100 : 2_000;
const wholeMsMax = 1;

const definition = parsePipelineObject(
  {
    name: 'demo',
    agents: { echo: { prompt: '{{document.text}}' } },
    steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
  },
  { knownChecks: [] },
);
const [run, actor] = [newRunId(), actorId('run/document-1/supervisor/echo')];
const authority = new Authority(generateKeyPairSync('ed25519'));
const identities = new AgentIdentities(authority);
const profiles = new RunProfiles();
profiles.set(run, JSON.stringify(definition));
const policies = await openPolicySet(policyFilesAt([]));
let performed = 0;
let guarded = 0;
const guards = [clearanceGuard(profiles), policyGuard({ policies, actors: profiles })];

const gateway = new ActuatorGateway({
  actuators: [
    {
      name: 'inference',
      operations: {
        generate: operation({
          effect: 'pure',
          arguments: z.strictObject({ messages: z.array(z.json()) }),
          result: z.null(),
          perform: async () => {
            performed += 1;
            return null;
          },
        }),
      },
    },
  ],
  identities: new IdentityVerifier(new AuthorityVerifier(authority.publicKey)),
  guard: { seen: async () => null, refused: async () => assert.fail('nothing is refused') },
  clock: systemClock,
  workspaceOf: () => '/nowhere',
  whenDurable: async () => undefined,
  journalMode: 'durable',
  guards: guards.map((guard) => (request, certificate) => {
    const began = performance.now();
    const refusal = guard(request, certificate);
    guarded += performance.now() - began;
    return refusal;
  }),
});

let sequence = 0;
const text = 'What does the invoice say about the discount? '.repeat(20);

async function credited() {
  sequence += 1;
  const address = { run, actor, sequence: sequence as ActorSequence, index: 0 };
  const args = { messages: [{ role: 'user', content: `${text}${sequence}` }] };
  const what = { actuator: 'inference', operation: 'generate', arguments: args };
  const execution = { run, actor, key: intentionKey(address), ...what };
  const now = Math.floor(systemClock.nowMs() / 1_000);
  const identity = await identities.of({ run, actor, clearance: '' }, now);
  const token = await authority.permit(execution, { thumbprint: identity.thumbprint, now });
  const signature = signIntention(identity.key, { ...execution, token });
  const credentials = { certificate: identity.certificate, token, signature };
  return {
    ...address,
    key: execution.key,
    ...what,
    effect: 'pure',
    journalPosition: 0,
    credentials,
  };
}

interface Sample {
  readonly signed: number[];
  readonly checked: number[];
  readonly judged: number[];
  readonly whole: number[];
}

async function sample(): Promise<Sample> {
  const times: Sample = { signed: [], checked: [], judged: [], whole: [] };
  for (let count = 0; count < intentionsOfSample; count += 1) {
    guarded = 0;
    const began = performance.now();
    const request = await credited();
    const signedAt = performance.now();
    const outcome = await gateway.perform(request);
    const ended = performance.now();
    assert.equal(outcome.status, 'completed');
    times.signed.push(signedAt - began);
    times.checked.push(ended - signedAt - guarded);
    times.judged.push(guarded);
    times.whole.push(ended - began);
  }
  return times;
}

await sample();
const samples: Sample[] = [];
for (let turn = 0; turn < repetitions; turn += 1) samples.push(await sample());
assert.equal(performed, (repetitions + 1) * intentionsOfSample);

const p50 = (name: keyof Sample) => samples.map((each) => median(each[name]));
const lower = { higherIsBetter: false };
report(
  'gateway',
  [
    figure('signing, token and gateway with policies: p50', 'ms', p50('whole'), {
      ...lower,
      goal: wholeMsMax,
    }),
    figure('token and signature: p50', 'ms', p50('signed'), lower),
    figure('checks of the gateway without policies: p50', 'ms', p50('checked'), lower),
    figure('clearance and policies, compiled once: p50', 'ms', p50('judged'), lower),
  ],
  ['jose', '@cedar-policy/cedar-wasm'],
);
