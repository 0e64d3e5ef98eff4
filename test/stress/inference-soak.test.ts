import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { modelProcesses } from '../inference/model-processes.ts';
import { testFolder } from '../runtime/running.ts';
import { soak } from './inference-soak.ts';

test('many agents, one model: nothing is lost, doubled or mixed up, whatever happens to its process', {
  timeout: 240_000,
}, async () => {
  const stateFolder = join(testFolder(), 'states');
  const report = await soak({ agents: 60, seconds: 60, sequences: 4, stateFolder, seed: 11 });
  expect(report.wrong).toEqual([]);
  expect(report.misread).toBeLessThan(report.answers / 50);
  expect(report.starved).toBe(0);
  expect(report).toMatchObject({ kills: 1 });
  expect(report.swaps).toBeGreaterThan(0);
  expect(report.refused).toBeGreaterThan(0);
  expect(report.answers).toBeGreaterThan(120);
  expect(modelProcesses()).toEqual([]);
  expect(readdirSync(stateFolder)).toEqual([]);
});
