/**
 * Goal: every attack is contained as its payload says, the runtime's own event
 * loop keeps its pace meanwhile, the next execution is unharmed, and no
 * process is left. Method: the payloads, which are data, run one after the
 * other in a real pool with every layer that the host has.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { SandboxPool } from '../../src/sandbox/sandbox.ts';
import { eventually, sandboxPids } from '../sandbox/processes.ts';
import { escapes } from './payloads/escapes.ts';
import { imports } from './payloads/imports.ts';
import { loops } from './payloads/loops.ts';
import { memory } from './payloads/memory.ts';
import { output } from './payloads/output.ts';
import type { Family, Payload } from './payloads/payload.ts';
import { pollution } from './payloads/pollution.ts';
import { results } from './payloads/results.ts';
import { symbols } from './payloads/symbols.ts';

const families: readonly Family[] = [
  loops,
  memory,
  pollution,
  escapes,
  results,
  imports,
  symbols,
  output,
];
const lagMsMax = 50;
/** Of the histogram; what it measures includes it. */
const resolutionMs = 5;

const pool = new SandboxPool({ size: limits.sandboxPoolSize });
const lag = monitorEventLoopDelay({ resolution: resolutionMs });

beforeAll(async () => {
  // Preparing the pool takes its time once, before there is a script.
  await pool.warmed();
  lag.enable();
});

afterAll(() => pool.close());

async function expectContained(payload: Payload): Promise<void> {
  const { source, contained, timeoutMs, memoryMb, input } = payload;
  const outcome = await pool.execute({ source, timeoutMs, memoryMb, input });
  if ('value' in contained) {
    expect(outcome).toMatchObject({ ok: true });
    expect(JSON.stringify(outcome.value)).toBe(JSON.stringify(contained.value));
  } else {
    expect(outcome.ok).toBe(false);
    expect(contained).toContain(outcome.error?.code);
    expect(outcome.error?.message.length).toBeLessThan(2_500);
  }
  expect(outcome.console?.length ?? 0).toBeLessThanOrEqual(limits.sandboxConsoleBytesMax);
}

/** Honest work that touches what payloads break. */
async function expectUnharmed(): Promise<void> {
  const { ok, value } = await pool.execute({
    source: `console.log('ok'); [typeof left, JSON.stringify([1, 2].map((n) => n * 2)), ({}).polluted ?? null, await Promise.resolve('p')]`,
  });
  expect([ok, value]).toEqual([true, ['undefined', '[2,4]', null, 'p']]);
}

describe.each(families)('$title', ({ payloads }) => {
  test.each(payloads)('$name', async (payload) => {
    await expectContained(payload);
    await expectUnharmed();
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe('the runtime', () => {
  test('had at least 80 payloads to contain', () => {
    const count = families.reduce((sum, { payloads }) => sum + payloads.length, 0);
    expect(count).toBeGreaterThanOrEqual(80);
  });

  test(`answered within ${lagMsMax} ms at p99 throughout`, ({ task }) => {
    lag.disable();
    const p99Ms = lag.percentile(99) / 1e6 - resolutionMs;
    // For the table of `npm run test:security`.
    const figure = `event loop lag: p99 ${p99Ms.toFixed(1)} ms of ${lag.count} samples`;
    Object.assign(task.meta, { figure });
    expect(lag.count).toBeGreaterThan(500);
    expect(p99Ms).toBeLessThan(lagMsMax);
  });

  test.runIf(process.platform === 'linux')('has no process left after it', async () => {
    await pool.close();
    await eventually(() => sandboxPids(process.pid).length === 0);
  });
});
