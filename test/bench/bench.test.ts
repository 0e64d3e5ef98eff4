/** Every benchmark runs in its short form and reports every figure; how fast is not a test's business. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

const folder = fileURLToPath(new URL('../../bench/', import.meta.url));
const programs = readdirSync(folder).filter(
  (name) => name.endsWith('.ts') && name !== 'harness.ts',
);

const resultSchema = z.strictObject({
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  versions: z.record(z.string(), z.string()),
  figures: z
    .array(
      z.strictObject({
        id: z.string(),
        value: z.number(),
        unit: z.string(),
        goal: z.number().nullable(),
        higherIsBetter: z.boolean(),
        samples: z.array(z.number()).min(1),
      }),
    )
    .min(1),
});

/** What the bus is held to; a figure without a goal only informs. */
const goalsOfBus = [
  '64 B: frames / clone',
  '64 B, two producers: frames / clone',
  '64 B: frames / ringbuf.js of bytes',
  '1 KiB: frames / clone',
  '64 KiB: frames / clone',
  '64 KiB: frames / ringbuf.js of bytes',
  '4 MiB: arena / memory copy',
  'arena pass: fastest size / slowest size',
  'arena pass: 64 KiB',
  'arena pass: 1 MiB',
  'arena pass: 16 MiB',
  'arena pass: 64 MiB',
  'round trip p50: parked bus / Atomics.wait',
  'round trip p50: event-loop bus / MessagePort',
  'p50 event: codec and frames / clone',
  'p95 event: codec and frames / clone',
  'tasks, window 64: bus / piscina',
  'tasks, window 1: bus / piscina',
];

describe('benchmarks in their short form', () => {
  let results = '';
  beforeAll(() => {
    results = mkdtempSync(join(tmpdir(), 'openclaw-bench-results-'));
  });
  afterAll(() => rmSync(results, { recursive: true, force: true }));

  it.each(programs)(
    '%s reports its figures',
    async (program) => {
      await promisify(execFile)(process.execPath, [
        join(folder, program),
        '--smoke',
        '--results',
        results,
      ]);
      const file = join(results, program.replace(/\.ts$/, '.json'));
      const { figures } = resultSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
      const ids = figures.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      if (program !== 'bus.ts') return;
      expect(figures.filter(({ goal }) => goal !== null).map(({ id }) => id)).toEqual(goalsOfBus);
    },
    240_000,
  );
});
