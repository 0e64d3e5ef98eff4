/**
 * Goal: whatever comes over the pipe in the name of a script, the runtime
 * carries out only what the guest code could have asked for. Method: the calls
 * are handed over directly, as a process would that its script has taken over.
 */
import { expect, test } from 'vitest';
import type { Json } from '../../src/kernel/json.ts';
import { limits } from '../../src/kernel/limits.ts';
import { type ExecutionLimits, executionLimits } from '../../src/sandbox/execution-limits.ts';
import { HostCalls } from '../../src/sandbox/host-calls.ts';
import { OverlayFileSystem } from '../../src/sandbox/overlay-file-system.ts';
import type { CallAnswer, SandboxCall } from '../../src/sandbox/protocol.ts';

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

function setUp(given: Partial<ExecutionLimits> = {}) {
  const own = executionLimits(given) as ExecutionLimits;
  const fileSystem = new OverlayFileSystem({ limits: own });
  const answers: CallAnswer[] = [];
  const called: string[] = [];
  let violations = 0;
  let heard: () => void = () => {};
  const calls = new HostCalls({
    fileSystem,
    tools: {
      names: ['ok'],
      async call(name, args) {
        called.push(name);
        return args;
      },
    },
    limits: own,
    answer: (answer) => {
      answers.push(answer);
      heard();
    },
    onViolation: () => {
      violations += 1;
    },
  });
  let id = 0;
  const call = (name: string, args: Json, more: Partial<SandboxCall> = {}): void => {
    id += 1;
    calls.accept({
      type: 'call',
      id,
      name,
      args: JSON.stringify(args),
      data: bytes(''),
      ...more,
    });
  };
  const answered = async (count: number): Promise<void> => {
    while (answers.length < count) {
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
  };
  return { calls, call, answers, answered, fileSystem, called, violations: () => violations };
}

test.each<[string, Json]>([
  ['fs.readFile', { path: '/x' }],
  ['fs.readFile', { path: '/x', text: 'yes' }],
  ['fs.readFile', { path: ['/x'], text: true }],
  ['fs.readFile', { path: '/x', text: true, offset: 1.5 }],
  ['fs.readFile', { path: '/x', text: true, offset: -1 }],
  ['fs.readFile', { path: '/x', text: true, more: 1 }],
  ['fs.writeFile', { path: 'x'.repeat(limits.overlayPathCharsMax + 1) }],
  ['fs.writeFile', null],
  ['fs.mkdir', { path: '/x', recursive: 1 }],
  ['fs.rename', { path: '/x' }],
  ['fs.constructor', {}],
  ['fs.entries', { path: '/' }],
  ['fs.outputs', {}],
  ['__proto__', {}],
  ['', {}],
])('%s with %j is refused as an error of the script', async (name, args) => {
  const { call, answers, answered, violations } = setUp();
  call(name, args);
  await answered(1);
  expect(answers[0]).toMatchObject({ id: 1, outcome: 'error' });
  expect(JSON.parse(answers[0]?.json ?? '')).toMatchObject({ code: 'EINVAL' });
  expect(violations()).toBe(0);
});

test.each(['tools.other', 'tools.', 'tools.ok.x', 'tools.constructor', 'tools.__proto__'])(
  '%s is not granted, and not called',
  async (name) => {
    const { call, answers, answered, called } = setUp();
    call(name, {});
    await answered(1);
    expect(JSON.parse(answers[0]?.json ?? '')).toMatchObject({ code: 'EACCES' });
    expect(called).toEqual([]);
  },
);

test.each(['{', '', 'undefined', '[1e999]', '['.repeat(5_000)])(
  'arguments that are no plain JSON are refused: %s',
  async (args) => {
    const { call, answers, answered, called } = setUp();
    call('tools.ok', null, { args });
    await answered(1);
    expect(answers[0]?.outcome).toBe('error');
    expect(called).toEqual([]);
  },
);

test('what the guest code cannot have sent ends it, and nothing after it is carried out', async () => {
  const hostile: [Partial<ExecutionLimits>, (set: ReturnType<typeof setUp>) => void][] = [
    [{}, ({ call }) => call('fs.mkdir', { path: '/a', recursive: false }, { id: 2 })],
    [
      {},
      ({ call }) =>
        call(
          'fs.writeFile',
          { path: '/a' },
          { data: new Uint8Array(limits.sandboxMessageBytesMax + 1) },
        ),
    ],
    [{}, ({ call }) => call('tools.ok', 'x'.repeat(limits.sandboxMessageBytesDefault))],
    [{ calls: 0 }, ({ call }) => call('fs.mkdir', { path: '/a', recursive: false })],
    [
      {},
      ({ call }) => {
        for (let index = 0; index <= limits.sandboxCallsInFlightMax; index += 1) {
          call('fs.mkdir', { path: `/a${index}`, recursive: false });
        }
      },
    ],
  ];
  for (const [given, attack] of hostile) {
    const set = setUp(given);
    attack(set);
    set.call('fs.writeFile', { path: '/after' }, { data: bytes('x') });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(set.violations()).toBe(1);
    expect(set.answers).toEqual([]);
    expect(set.fileSystem.readdir('/').map(({ name }) => name)).toEqual(['out']);
  }
});

test('calls are answered in their order, with their numbers, also after failures', async () => {
  const { call, answers, answered } = setUp();
  call('fs.writeFile', { path: '/x' }, { data: bytes('abc') });
  call('tools.ok', { a: 1 });
  call('fs.readFile', { path: '/none', text: false });
  call('fs.readFile', { path: '/x', text: true, offset: 1, length: 1 });
  await answered(4);
  expect(answers.map(({ id, outcome }) => [id, outcome])).toEqual([
    [1, 'ok'],
    [2, 'ok'],
    [3, 'error'],
    [4, 'ok'],
  ]);
  expect(Buffer.from(answers[3]?.data ?? []).toString()).toBe('b');
});

test('after the end nothing is carried out or answered', async () => {
  const { calls, call, answers, called } = setUp();
  call('tools.ok', {});
  calls.close();
  call('tools.ok', {});
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect([answers, called]).toEqual([[], []]);
});

test('the event loop is given back between calls that take long together', async () => {
  const { call, answers, answered, fileSystem } = setUp({ files: limits.sandboxFilesMax });
  fileSystem.mkdir('/many');
  for (let index = 0; index < 5_000; index += 1)
    fileSystem.writeFile(`/many/${index}`, Buffer.alloc(0));
  let turns = 0;
  const count = (): void => {
    turns += 1;
    if (answers.length < limits.sandboxCallsInFlightMax) setImmediate(count);
  };
  for (let index = 0; index < limits.sandboxCallsInFlightMax; index += 1) {
    call('fs.readdir', { path: '/many' });
  }
  setImmediate(count);
  await answered(limits.sandboxCallsInFlightMax);
  // All in one turn would be one; each takes longer than the two milliseconds that a turn has.
  expect(turns).toBeGreaterThan(3);
});
