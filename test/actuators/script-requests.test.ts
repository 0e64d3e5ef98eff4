/** Goal: a script reaches the network only as itself, by grants of its own hash. */
import { afterAll, describe, expect, test } from 'vitest';
import type { Operation } from '../../src/actuators/actuator.ts';
import { type HttpPorts, httpActuator, type PermitQuestion } from '../../src/actuators/http.ts';
import { sandboxActuator } from '../../src/actuators/sandbox.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { sha256 } from '../../src/kernel/hash.ts';
import { Sandboxes } from '../../src/sandbox/sandboxes.ts';
import { actuatorContext } from './actuator-context.ts';

const pool = new Sandboxes({ size: 1 });
afterAll(() => pool.close());

/** Asks for leave, and gets none: what is asked is what matters here. */
function desk() {
  const asked: PermitQuestion[] = [];
  const ports: HttpPorts = {
    permit: async (question) => {
      asked.push(question);
      throw new RuntimeError('EGRESS_NOT_GRANTED', 'No grant covers it.');
    },
    refused: () => undefined,
    secret: () => expect.unreachable(),
  };
  const { operations } = sandboxActuator(pool, {}, httpActuator(ports));
  const run = async (name: 'fetch' | 'run', source: string, tools = ['http.fetch']) => {
    const found = operations[name] as Operation;
    return found.perform(found.arguments.parse({ source, tools }), actuatorContext('/'));
  };
  return { asked, run, operations };
}

const caught = (call: string) =>
  `const seen = []; for (const url of ['https://a.example/x', 'https://a.example/y']) {
     try { await tools.http.fetch(${call}); } catch (error) { seen.push(error.code); }
   } seen`;

describe('requests of a script', () => {
  test('are asked for in the name of its own hash, each under a key of its own', async () => {
    const { asked, run } = desk();
    const source = caught('{ url }');
    expect(await run('fetch', source)).toEqual(['EGRESS_NOT_GRANTED', 'EGRESS_NOT_GRANTED']);
    expect(asked.map(({ request }) => request.subject)).toEqual([
      { script: sha256(source) },
      { script: sha256(source) },
    ]);
    expect(new Set(asked.map(({ key }) => key)).size).toBe(2);
    const again = desk();
    await again.run('fetch', source);
    const tail = ({ key }: PermitQuestion) => key.split(':').slice(2);
    expect(again.asked.map(tail)).toEqual(asked.map(tail));
  });

  test.each([
    '{ url, subject: { agent: "boss" } }',
    '{ url, subject: { script: "0".repeat(64) } }',
    '{ url, label: "public", subject: null }',
  ])('cannot be in the name of somebody else: %s', async (call) => {
    const { asked, run } = desk();
    const source = caught(call);
    await run('fetch', source);
    expect(asked.length).toBeGreaterThan(0);
    for (const { request } of asked) expect(request.subject).toEqual({ script: sha256(source) });
  });

  test.each([
    '{}',
    '{ url: 5 }',
    '{ url, method: "POST" }',
    '{ url, headers: { cookie: "a" } }',
    '5',
  ])('that are none are the script’s error: %s', async (call) => {
    const { asked, run } = desk();
    expect(await run('fetch', caught(call))).toEqual(['INTENTION_INVALID', 'INTENTION_INVALID']);
    expect(asked).toEqual([]);
  });

  test('exist only where the intention grants them, and never in a pure one', async () => {
    const { asked, run, operations } = desk();
    expect(await run('fetch', 'typeof tools.http', [])).toBe('undefined');
    await expect(run('run', '1')).rejects.toMatchObject({ code: 'SANDBOX_INPUT_INVALID' });
    expect(asked).toEqual([]);
    expect(operations.fetch).toMatchObject({ effect: 'idempotent', outside: true });
    expect(operations.run?.outside).toBeUndefined();
  });
});
