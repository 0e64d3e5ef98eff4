/**
 * The soak of the inference service in its long form: many agents over one model in a
 * process of its own, with waits, aborts, replaced models and a killed process. `npm test`
 * runs it shortly.
 *
 *   npm run stress:inference [-- --agents N] [--seconds N] [--sequences N] [--seed N]
 *
 * Ends with 1 when an answer was lost, doubled or mixed up, an agent starved, or memory was
 * not flat within 5 %.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { soak } from '../test/stress/inference-soak.ts';

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '1200' },
    sequences: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
  },
});
const stateFolder = mkdtempSync(join(tmpdir(), 'openclaw-soak-'));
const report = await soak({
  agents: Number(values.agents),
  seconds: Number(values.seconds),
  sequences: Number(values.sequences),
  seed: Number(values.seed),
  stateFolder,
});
rmSync(stateFolder, { recursive: true, force: true });
const { wrong, memory, ...counts } = report;
console.log({ ...counts, wrong: wrong.length, memory });
for (const each of wrong.slice(0, 20)) console.log(each);
const drift = memory.last / memory.middle - 1;
console.log(`memory at the end against the middle: ${(drift * 100).toFixed(1)} %`);
const failed = wrong.length > 0 || report.starved > 0 || Math.abs(drift) > 0.05;
process.exit(failed ? 1 : 0);
