import { afterAll, expect, test } from 'vitest';
import { sandboxActuator } from '../../src/actuators/sandbox.ts';
import { SandboxPool } from '../../src/sandbox/sandbox.ts';
import { actuatorContext } from './actuator-context.ts';

const pool = new SandboxPool({ size: 1 });
afterAll(() => pool.close());
const run = sandboxActuator(pool).operations.run;

async function value(args: object, signal = new AbortController().signal): Promise<unknown> {
  return run?.perform(run.arguments.parse(args), actuatorContext('/', { signal }));
}

test('gives the value of a script', async () => {
  expect(await value({ source: 'input.a + input.b', input: { a: 310, b: 95 } })).toBe(405);
  expect(await value({ source: 'const x = 1' })).toBeNull();
});

test.each([
  ['throw new Error("no")', 'SANDBOX_SCRIPT_ERROR'],
  ['for (;;);', 'SANDBOX_TIMEOUT'],
  ['() => 1', 'SANDBOX_RESULT_INVALID'],
])(
  'what a script does wrong is a failure that a retry would meet again: %s',
  async (source, code) => {
    await expect(value({ source, timeoutMs: 300 })).rejects.toMatchObject({
      code,
      retryable: false,
    });
  },
);

test('an abort stops the script', async () => {
  const controller = new AbortController();
  const running = value({ source: 'for (;;);', timeoutMs: 60_000 }, controller.signal);
  controller.abort();
  await expect(running).rejects.toMatchObject({ code: 'INTENTION_ABORTED' });
});
