/**
 * Goal: nothing is carried out that the gateway's invariants forbid, and every
 * request gets exactly one outcome. Method: real keys, real files, and small
 * actuators of the test's own where it must see when something is performed.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type Actuator, type EffectClass, operation } from '../../src/actuators/actuator.ts';
import { clockActuator } from '../../src/actuators/clock.ts';
import { fileActuator } from '../../src/actuators/file.ts';
import { ActuatorGateway, type GatewayOptions } from '../../src/actuators/gateway.ts';
import type { IntentionOutcome, IntentionRequest } from '../../src/actuators/intention-request.ts';
import { Scrubber } from '../../src/actuators/scrubber.ts';
import type { AgentCertificate } from '../../src/identity/agent-certificate.ts';
import type { PublicKey } from '../../src/identity/signing-key.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { hashJson } from '../../src/kernel/hash.ts';
import {
  type ActorSequence,
  actorId,
  intentionKey,
  newRunId,
  type RunId,
} from '../../src/kernel/ids.ts';
import type { Json } from '../../src/kernel/json.ts';
import { limits } from '../../src/kernel/limits.ts';

const workspace = mkdtempSync(join(tmpdir(), 'claw-gateway-'));
afterAll(() => rmSync(workspace, { recursive: true }));

const run = newRunId();
const actor = actorId('run/item-1/agent');

interface Wanted {
  actuator?: string;
  operation?: string;
  arguments?: Json;
  effect?: EffectClass;
  sequence?: number;
  /** Whether what it shows is another's. */
  forged?: boolean;
  of?: RunId;
}

function request(wanted: Wanted = {}): IntentionRequest {
  const { forged = false, sequence = 1, effect = 'pure', of = run, ...rest } = wanted;
  const what = { actuator: 'probe', operation: 'go', arguments: {} as Json, ...rest };
  const address = { run: of, actor, sequence: sequence as ActorSequence, index: 0 };
  const key = intentionKey(address);
  return {
    ...address,
    ...what,
    key,
    effect,
    journalPosition: 100,
    credentials: {
      certificate: 'certificate',
      token: 'token',
      signature: forged ? 'forged' : hashJson({ run: of, actor, key, ...what }),
    },
  };
}

/** Knows an intention by its hash; the checks themselves have their own tests. */
const identities: GatewayOptions['identities'] = {
  admit: async (execution, { signature }) => {
    const { run: of, actor: who, key, actuator, operation, arguments: args } = execution;
    const shown = hashJson({ run: of, actor: who, key, actuator, operation, arguments: args });
    return signature === shown
      ? certificate
      : { code: 'SIGNATURE_INVALID', message: 'It is not signed.' };
  },
};

const certificate: AgentCertificate = {
  run,
  actor,
  publicKey: 'k' as PublicKey,
  clearance: '',
  issuedAt: 0,
  expires: 1,
};

/** An actuator whose performances the test begins, counts and ends. */
function probe(effect: EffectClass = 'pure', concurrency = 100, outside = false) {
  const calls: {
    resolve: (value: unknown) => void;
    reject: (error: unknown) => void;
    signal: AbortSignal;
    recorded: () => Promise<void>;
  }[] = [];
  const actuator: Actuator = {
    name: 'probe',
    concurrency,
    operations: {
      go: operation({
        effect,
        outside,
        arguments: z.strictObject({ n: z.number().default(0) }),
        result: z.strictObject({ n: z.unknown() }),
        perform: (_args, { signal, recorded }) =>
          new Promise<{ n: unknown }>((resolve, reject) => {
            const settle = resolve as (value: unknown) => void;
            calls.push({ resolve: settle, reject, signal, recorded });
          }),
      }),
    },
  };
  return { actuator, calls };
}

function open(
  actuators: Actuator[],
  options: Partial<Pick<GatewayOptions, 'whenDurable' | 'guard' | 'journalMode' | 'scrub'>> = {},
) {
  return new ActuatorGateway({
    actuators,
    identities,
    guard: options.guard ?? { seen: async () => null, refused: async () => undefined },
    clock: systemClock,
    workspaceOf: () => workspace,
    whenDurable: options.whenDurable ?? (() => Promise.resolve()),
    journalMode: options.journalMode ?? 'durable',
    ...(options.scrub === undefined ? {} : { scrub: options.scrub }),
  });
}

function errorOf(outcome: IntentionOutcome): [string, string] {
  return outcome.status === 'completed' ? ['completed', ''] : [outcome.status, outcome.error.code];
}

/** Lets everything run that needs no further event. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('refuses what must not happen twice while the journal is relaxed, and nothing else', async () => {
  for (const effect of ['pure', 'idempotent', 'once'] as const) {
    const { actuator, calls } = probe(effect);
    const gateway = open([actuator], { journalMode: 'relaxed' });
    const outcome = gateway.perform(
      request({ actuator: 'probe', operation: 'go', arguments: {}, effect }),
    );
    await settled();
    calls[0]?.resolve({ n: 1 });
    expect(errorOf(await outcome)).toEqual(
      effect === 'once' ? ['refused', 'JOURNAL_RELAXED'] : ['completed', ''],
    );
    expect(calls).toHaveLength(effect === 'once' ? 0 : 1);
  }
});

test('what must not be repeated is unknown once it has begun and nobody knows its end', async () => {
  for (const [effect, how, expected] of [
    ['once', 'unknown', ['unknown', 'OUTCOME_UNKNOWN']],
    ['once', 'broken', ['unknown', 'INTERNAL']],
    ['once', 'abort', ['unknown', 'INTENTION_ABORTED']],
    ['once', 'refused', ['failed', 'FILE_NOT_FOUND']],
    ['idempotent', 'unknown', ['failed', 'OUTCOME_UNKNOWN']],
    ['idempotent', 'abort', ['failed', 'INTENTION_ABORTED']],
  ] as const) {
    const { actuator, calls } = probe(effect);
    const gateway = open([actuator]);
    const wanted = request({ effect });
    const outcome = gateway.perform(wanted);
    await settled();
    if (how === 'abort') gateway.abort(wanted.key);
    const code = how === 'refused' ? 'FILE_NOT_FOUND' : 'OUTCOME_UNKNOWN';
    calls[0]?.reject(how === 'broken' ? new Error('gone') : new RuntimeError(code, 'No.'));
    const found = errorOf(await outcome);
    expect(found[0]).toBe(expected[0]);
    if (how !== 'abort') expect(found).toEqual(expected);
    if (expected[0] !== 'unknown') continue;
    expect(errorOf(await gateway.perform(wanted))).toEqual(found);
    expect(calls).toHaveLength(1);
  }
});

test('of a fork nothing reaches beyond its own files unless it may', async () => {
  for (const [effect, outside, isWithheld] of [
    ['idempotent', true, true],
    ['once', true, true],
    ['pure', true, false],
    ['idempotent', false, false],
  ] as const) {
    for (const isForked of [false, true]) {
      const { actuator, calls } = probe(effect, 100, outside);
      const gateway = open([actuator]);
      gateway.withhold(isForked ? run : newRunId());
      const outcome = gateway.perform(request({ effect }));
      await settled();
      calls[0]?.resolve({ n: 1 });
      const isRefused = isForked && isWithheld;
      expect(errorOf(await outcome)).toEqual(
        isRefused ? ['refused', 'EFFECT_WITHHELD'] : ['completed', ''],
      );
      expect(calls).toHaveLength(isRefused ? 0 : 1);
    }
  }
});

test('carries out a signed intention and gives its result under its key', async () => {
  const gateway = open([fileActuator()]);
  const wanted = request({
    actuator: 'file',
    operation: 'write',
    arguments: { path: 'report.md', text: '# Report' },
    effect: 'idempotent',
  });
  expect(await gateway.perform(wanted)).toMatchObject({
    key: wanted.key,
    status: 'completed',
    value: { path: 'report.md', bytes: 8 },
  });
  expect(readFileSync(join(workspace, 'report.md'), 'utf8')).toBe('# Report');
});

test('tells of a refused identity before it answers, and does nothing for whom the guard cut off', async () => {
  const { actuator, calls } = probe();
  const told: unknown[] = [];
  const guard: GatewayOptions['guard'] = {
    seen: async () => (told.length === 0 ? null : { code: 'QUARANTINED', message: 'It is cut.' }),
    refused: async (refusal) => void told.push(refusal),
  };
  const gateway = open([actuator], { guard });
  const forged = gateway.perform(request({ forged: true }));
  expect(errorOf(await forged)).toEqual(['refused', 'SIGNATURE_INVALID']);
  expect(told).toMatchObject([{ run, actor, operation: 'probe.go' }]);
  expect(errorOf(await gateway.perform(request()))).toEqual(['refused', 'QUARANTINED']);
  expect(told).toHaveLength(1);
  expect(calls).toEqual([]);
});

test('answers with the denial of the authority, which vouches for nothing then', async () => {
  const { actuator, calls } = probe();
  const denial = { code: 'PERMISSION_DENIED', message: 'Not granted.' } as const;
  for (const given of [{ denial }, {}]) {
    const denied = { ...request(), credentials: null, ...given };
    expect(errorOf(await open([actuator]).perform(denied))).toEqual(['refused', denial.code]);
  }
  expect(calls).toEqual([]);
});

test('an abort that comes while the identity is checked is not lost', async () => {
  const { actuator, calls } = probe();
  const gateway = open([actuator]);
  const outcome = gateway.perform(request());
  expect(gateway.abort(request().key)).toBe(true);
  expect(errorOf(await outcome)).toEqual(['failed', 'INTENTION_ABORTED']);
  expect(calls).toEqual([]);
});

test.each<[string, object, string]>([
  ['is not an object', [], 'INTENTION_INVALID'],
  ['has a field too many', { ...request(), extra: 1 }, 'INTENTION_INVALID'],
  ['has a key of another sequence', { ...request(), sequence: 2 }, 'INTENTION_INVALID'],
  ['has a malformed actor', { ...request(), actor: '../x' }, 'INTENTION_INVALID'],
  ['has a malformed run', { ...request(), run: 'x' }, 'INTENTION_INVALID'],
  ['names no actuator', request({ actuator: 'shell' }), 'ACTUATOR_UNKNOWN'],
  ['names no operation', request({ operation: 'stop' }), 'ACTUATOR_UNKNOWN'],
  ['names an inherited property', request({ operation: 'constructor' }), 'ACTUATOR_UNKNOWN'],
  ['names a prototype', request({ actuator: '__proto__' }), 'ACTUATOR_UNKNOWN'],
  ['is signed by another key', request({ forged: true }), 'SIGNATURE_INVALID'],
  ['was changed after it was signed', { ...request(), arguments: { n: 2 } }, 'SIGNATURE_INVALID'],
  ['has arguments that do not fit', request({ arguments: { n: 'x' } }), 'INTENTION_INVALID'],
  ['declares another effect class', request({ effect: 'once' }), 'INTENTION_INVALID'],
])('refuses a request that %s, and performs nothing', async (_name, wrong, code) => {
  const { actuator, calls } = probe();
  expect(errorOf(await open([actuator]).perform(wrong))).toEqual(['refused', code]);
  expect(calls).toEqual([]);
});

test('never rejects and never performs, whatever it is given', async () => {
  const { actuator, calls } = probe();
  const gateway = open([actuator]);
  const good = request();
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.anything(),
        fc
          .tuple(fc.constantFrom(...Object.keys(good)), fc.anything())
          .filter(([field, value]) => !Object.is(value, good[field as keyof IntentionRequest]))
          .filter(([field]) => field !== 'journalPosition')
          .map(([field, value]) => ({ ...good, [field]: value })),
      ),
      async (wrong) => {
        // The one change that leaves it valid: arguments equal to those that were signed.
        fc.pre(JSON.stringify(wrong) !== JSON.stringify(good));
        expect((await gateway.perform(wrong)).status).toBe('refused');
      },
    ),
    { numRuns: 2_000 },
  );
  expect(calls).toEqual([]);
});

test('refuses arguments nested too deep to be looked at', async () => {
  let deep: Json = 0;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  const { actuator, calls } = probe();
  const outcome = await open([actuator]).perform({ ...request(), arguments: deep });
  expect(outcome.status).toBe('refused');
  expect(calls).toEqual([]);
});

test.each<EffectClass>(['idempotent', 'once'])(
  'an %s effect waits for the disk',
  async (effect) => {
    const { actuator, calls } = probe(effect);
    const waiting: { position: number; resolve: () => void }[] = [];
    const gateway = open([actuator], {
      whenDurable: (position) => new Promise((resolve) => waiting.push({ position, resolve })),
    });
    const outcome = gateway.perform(request({ effect }));
    await settled();
    expect(waiting[0]?.position).toBe(100);
    expect(calls).toEqual([]);
    waiting[0]?.resolve();
    await settled();
    calls[0]?.resolve({ n: 1 });
    expect((await outcome).status).toBe('completed');
  },
);

test('a pure operation does not wait for the disk', async () => {
  const { actuator, calls } = probe('pure');
  const gateway = open([actuator], { whenDurable: () => new Promise(() => {}) });
  const outcome = gateway.perform(request());
  await settled();
  calls[0]?.resolve({ n: 1 });
  expect((await outcome).status).toBe('completed');
});

test('a pure operation that needs the record of its intention can wait for it', async () => {
  const { actuator, calls } = probe('pure');
  const waiting: { position: number; resolve: () => void }[] = [];
  const gateway = open([actuator], {
    whenDurable: (position) => new Promise((resolve) => waiting.push({ position, resolve })),
  });
  const outcome = gateway.perform(request());
  await settled();
  let recorded = false;
  void calls[0]?.recorded().then(() => {
    recorded = true;
  });
  await settled();
  expect([recorded, waiting[0]?.position]).toEqual([false, 100]);
  waiting[0]?.resolve();
  await settled();
  expect(recorded).toBe(true);
  calls[0]?.resolve({ n: 1 });
  expect((await outcome).status).toBe('completed');
});

test('a failed journal stops an effect', async () => {
  const { actuator, calls } = probe('once');
  const failed = new RuntimeError('JOURNAL_FAILED', 'The journal cannot be written.');
  const gateway = open([actuator], { whenDurable: () => Promise.reject(failed) });
  const outcome = await gateway.perform(request({ effect: 'once' }));
  expect(errorOf(outcome)).toEqual(['failed', 'JOURNAL_FAILED']);
  expect(calls).toEqual([]);
});

test('a key in flight is joined, and one that completed is answered again', async () => {
  const { actuator, calls } = probe();
  const gateway = open([actuator]);
  const first = gateway.perform(request());
  const second = gateway.perform(request());
  await settled();
  expect(calls.length).toBe(1);
  calls[0]?.resolve({ n: 7 });
  expect(await first).toMatchObject({ status: 'completed', value: { n: 7 } });
  expect(await second).toEqual(await first);
  expect(await gateway.perform(request())).toEqual(await first);
  expect(calls.length).toBe(1);
});

test('a joined or repeated key still needs a valid signature', async () => {
  const { actuator, calls } = probe();
  const gateway = open([actuator]);
  const first = gateway.perform(request());
  const stranger = request({ forged: true });
  expect(errorOf(await gateway.perform(stranger))).toEqual(['refused', 'SIGNATURE_INVALID']);
  await settled();
  calls[0]?.resolve({ n: 1 });
  await first;
  expect(errorOf(await gateway.perform(stranger))).toEqual(['refused', 'SIGNATURE_INVALID']);
});

test('a key stands for one intention', async () => {
  const { actuator, calls } = probe();
  const gateway = open([actuator]);
  const first = gateway.perform(request({ arguments: { n: 1 } }));
  const other = request({ arguments: { n: 2 } });
  expect(errorOf(await gateway.perform(other))).toEqual(['refused', 'INTENTION_INVALID']);
  await settled();
  calls[0]?.resolve({ n: 1 });
  await first;
  expect(errorOf(await gateway.perform(other))).toEqual(['refused', 'INTENTION_INVALID']);
});

test('a failed key may be tried again', async () => {
  const { actuator, calls } = probe();
  const gateway = open([actuator]);
  const first = gateway.perform(request());
  await settled();
  calls[0]?.reject(new RuntimeError('ACTUATOR_FAILED', 'No.', { retryable: true }));
  expect(await first).toEqual({
    key: request().key,
    status: 'failed',
    error: { code: 'ACTUATOR_FAILED', message: 'No.', retryable: true },
  });
  const second = gateway.perform(request());
  await settled();
  calls[1]?.resolve({ n: 2 });
  expect((await second).status).toBe('completed');
});

test('an unforeseen error is a failure without a stack', async () => {
  const { actuator, calls } = probe();
  const outcome = open([actuator]).perform(request());
  await settled();
  calls[0]?.reject(new TypeError('oops'));
  expect(await outcome).toEqual({
    key: request().key,
    status: 'failed',
    error: { code: 'INTERNAL', message: 'oops' },
  });
});

test.each([{}, { n: undefined }, { n: new Date() }, { n: Number.NaN }, { n: 1, m: 2 }, null])(
  'a result that is not what it declares, or not plain JSON, is a failure (%#)',
  async (result) => {
    const { actuator, calls } = probe();
    const outcome = open([actuator]).perform(request());
    await settled();
    calls[0]?.resolve(result);
    expect(errorOf(await outcome)).toEqual(['failed', 'ACTUATOR_FAILED']);
  },
);

test('an actuator does a bounded number at once, in order', async () => {
  const { actuator, calls } = probe('pure', 2);
  const gateway = open([actuator]);
  const outcomes = [1, 2, 3].map((sequence) => gateway.perform(request({ sequence })));
  await settled();
  expect(calls.length).toBe(2);
  calls[1]?.resolve({ n: 2 });
  expect(await outcomes[1]).toMatchObject({ status: 'completed' });
  await settled();
  expect(calls.length).toBe(3);
  calls[0]?.resolve({ n: 1 });
  calls[2]?.resolve({ n: 3 });
  expect((await Promise.all(outcomes)).map(({ status }) => status)).toEqual(
    Array(3).fill('completed'),
  );
});

test('a full queue refuses, and serves again once there is room', async () => {
  const { actuator, calls } = probe('pure', 1);
  const gateway = open([actuator]);
  const admitted = Array.from({ length: limits.actuatorQueueMax + 1 }, (_, index) =>
    gateway.perform(request({ sequence: index + 1 })),
  );
  await settled();
  const late = request({ sequence: limits.actuatorQueueMax + 2 });
  expect(await gateway.perform(late)).toMatchObject({
    status: 'refused',
    error: { code: 'ACTUATOR_BUSY', retryable: true },
  });
  await settled();
  calls[0]?.resolve({ n: 1 });
  await admitted[0];
  const served = gateway.perform(late);
  for (let index = 1; index < limits.actuatorQueueMax + 2; index += 1) {
    await settled();
    calls[index]?.resolve({ n: index });
  }
  expect((await served).status).toBe('completed');
  expect((await Promise.all(admitted)).every(({ status }) => status === 'completed')).toBe(true);
});

test('an abort reaches what is performed, what waits for its turn and what waits for the disk', async () => {
  const at = Date.now() + 3_600_000;
  const wake = request({ actuator: 'clock', operation: 'wake', arguments: { at } });
  const { actuator, calls } = probe('pure', 1);
  const file = request({
    actuator: 'file',
    operation: 'write',
    arguments: { path: 'never.txt', text: 'x' },
    effect: 'idempotent',
    sequence: 4,
  });
  const gateway = open([clockActuator(), actuator, fileActuator()], {
    whenDurable: () => new Promise(() => {}),
  });
  const waking = gateway.perform(wake);
  const performed = gateway.perform(request({ sequence: 2 }));
  const queued = gateway.perform(request({ sequence: 3 }));
  const undurable = gateway.perform(file);
  await settled();
  for (const { key } of [wake, request({ sequence: 3 }), file]) {
    expect(gateway.abort(key)).toBe(true);
  }
  expect(errorOf(await waking)).toEqual(['failed', 'INTENTION_ABORTED']);
  expect(errorOf(await undurable)).toEqual(['failed', 'INTENTION_ABORTED']);
  await settled();
  calls[0]?.resolve({ n: 1 });
  expect((await performed).status).toBe('completed');
  expect(errorOf(await queued)).toEqual(['failed', 'INTENTION_ABORTED']);
  expect(calls.length).toBe(1);
  expect(existsSync(join(workspace, 'never.txt'))).toBe(false);
  expect(gateway.abort(wake.key)).toBe(false);
});

test('an effect that was done although it was aborted is told as done', async () => {
  const { actuator, calls } = probe();
  const gateway = open([actuator]);
  const outcome = gateway.perform(request());
  await settled();
  gateway.abort(request().key);
  expect(calls[0]?.signal.aborted).toBe(true);
  calls[0]?.resolve({ n: 1 });
  expect((await outcome).status).toBe('completed');
});

test('the end of a run stops what is open for it, and leaves other runs alone', async () => {
  const { actuator, calls } = probe('pure', 1);
  const gateway = open([actuator]);
  const other = newRunId();
  const outcomes = [
    gateway.perform(request({ sequence: 1 })),
    gateway.perform(request({ sequence: 2 })),
    gateway.perform(request({ sequence: 1, of: other })),
  ];
  await settled();
  gateway.endRun(run);
  expect(calls[0]?.signal.aborted).toBe(true);
  calls[0]?.reject(new Error('stopped'));
  const [performed, waiting] = await Promise.all(outcomes.slice(0, 2));
  for (const outcome of [performed, waiting]) {
    expect(outcome && errorOf(outcome)).toEqual(['failed', 'INTENTION_ABORTED']);
  }
  await settled();
  expect(calls[1]?.signal.aborted).toBe(false);
  calls[1]?.resolve({ n: 1 });
  expect((await outcomes[2])?.status).toBe('completed');
});

test('close aborts everything in flight and waits for the outcomes', async () => {
  const gateway = open([clockActuator()]);
  const at = Date.now() + 3_600_000;
  const outcomes = [1, 2].map((sequence) =>
    gateway.perform(request({ actuator: 'clock', operation: 'wake', arguments: { at }, sequence })),
  );
  await settled();
  await gateway.close();
  for (const outcome of outcomes) {
    expect(errorOf(await outcome)).toEqual(['failed', 'INTENTION_ABORTED']);
  }
});

test('every outcome is scrubbed before anybody has it, a remembered and a refused one too', async () => {
  const { actuator, calls } = probe('once');
  const scrubber = new Scrubber([{ name: 'KEY', value: 'canary-secret' }]);
  const scrub = (outcome: IntentionOutcome): IntentionOutcome =>
    scrubber.json(outcome as unknown as Json) as unknown as IntentionOutcome;
  const gateway = open([actuator], { scrub });
  const wanted = request({ effect: 'once' });
  const outcome = gateway.perform(wanted);
  await settled();
  calls[0]?.resolve({ n: ['canary-secret', { 'canary-secret': 'CANARY-SECRET' }] });
  const clean = { n: ['[secret KEY]', { '[secret KEY]': '[secret KEY]' }] };
  for (const each of [await outcome, await gateway.perform(wanted)]) {
    expect(each).toMatchObject({ status: 'completed', value: clean });
  }
  const failing = gateway.perform(request({ effect: 'once', sequence: 2 }));
  await settled();
  calls[1]?.reject(new RuntimeError('FILE_NOT_FOUND', 'There is no canary-secret.'));
  expect(await failing).toMatchObject({ error: { message: 'There is no [secret KEY].' } });
  const refused = await gateway.perform(request({ operation: 'canary-secret' }));
  expect(refused).toMatchObject({
    error: { message: 'There is no operation probe.[secret KEY].' },
  });
});

test('an outcome that cannot be scrubbed is given to nobody', async () => {
  const { actuator, calls } = probe();
  const gateway = open([actuator], {
    scrub: () => {
      throw new Error('canary-secret');
    },
  });
  const outcome = gateway.perform(request());
  await settled();
  calls[0]?.resolve({ n: 'canary-secret' });
  expect(errorOf(await outcome)).toEqual(['failed', 'ACTUATOR_FAILED']);
  expect(JSON.stringify(await outcome)).not.toContain('canary-secret');
});
