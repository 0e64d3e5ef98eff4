/**
 * Kills at random instants of a run, and checks what comes out: SIGKILL to the
 * whole process group of `claw up`, and the end of a single host thread in a
 * process that goes on, also while its actors sleep, wake, or fill its memory.
 * `npm test` does all of them shortly.
 *
 *   npm run test:chaos [-- --instants 200] [--workers 50] [--sleepers 30] [--hosts 2]
 *        [--seed 1] [--pipeline FILE] [--input DIR]
 *
 * Exit status 0 when every killed run gave the result of an undisturbed one.
 */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runHostKilled } from '../test/crash/kill-host.ts';
import { type KilledRun, randomInstants, runKilled } from '../test/crash/kill-run.ts';
import { runSleepers, type SleeperDeath, wakingsMin } from '../test/crash/killed-sleepers.ts';

const example = (path: string): string =>
  fileURLToPath(new URL(`../examples/inbox/${path}`, import.meta.url));
const { values } = parseArgs({
  options: {
    instants: { type: 'string', default: '200' },
    workers: { type: 'string', default: '50' },
    sleepers: { type: 'string', default: '30' },
    hosts: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    pipeline: { type: 'string', default: example('pipeline.yaml') },
    input: { type: 'string', default: example('messages') },
  },
});
const random = randomInstants(Number(values.seed));
const hosts = Number(values.hosts);
const plan = { pipeline: values.pipeline, input: values.input, runMsMax: 300_000 };

const undisturbed = await runKilled({ ...plan, instants: [] });
const lengthMs = (undisturbed.run.endedAt ?? 0) - undisturbed.run.createdAt;
console.log(
  `undisturbed: ${undisturbed.run.status}, result ${undisturbed.run.resultHash}, ${lengthMs} ms`,
);
let failures = undisturbed.problems.length;

function problemsOf(killed: KilledRun, plain: KilledRun): string[] {
  const problems = [...killed.problems];
  if (killed.run.status !== 'succeeded') problems.push(`The run ended as ${killed.run.status}.`);
  if (killed.run.resultHash !== plain.run.resultHash) problems.push('The result hash is another.');
  if (killed.report !== plain.report) problems.push('The report is another.');
  return problems;
}

const totals: string[] = [];

/** Rounds of up to `perRound` kills each, until there were enough. */
async function chaos(
  what: string,
  wanted: number,
  perRound: number,
  kill: (instants: readonly number[]) => Promise<KilledRun>,
): Promise<void> {
  let kills = 0;
  let round = 0;
  let wrong = 0;
  while (kills < wanted) {
    round += 1;
    const count = Math.min(wanted - kills, 1 + random(perRound));
    // The first anywhere in the run, the next ones in what is probably left of it.
    const instants = Array.from({ length: count }, (_, index) =>
      random(index === 0 ? lengthMs * 0.9 : lengthMs * 0.2),
    );
    const killed = await kill(instants);
    kills += killed.kills;
    const problems = problemsOf(killed, undisturbed);
    wrong += problems.length;
    console.log(
      `${what}, round ${round}: killed ${killed.kills} times (at ${instants.join(', ')} ms), ${killed.run.events} events, ${problems.length === 0 ? 'equal' : problems.join(' ')}`,
    );
  }
  failures += wrong;
  totals.push(`${what}: ${kills} kills in ${round} runs, ${wrong} problems`);
}

/** Hosts that die at random passages of what their actors do when they sleep and wake. */
async function chaosOfSleepers(wanted: number): Promise<void> {
  if (wanted === 0) return;
  const deaths: readonly SleeperDeath[] = ['asleep', 'waking', 'starved-waking'];
  const plain = await runSleepers(null, { count: 0 });
  let wrong = plain.problems.length;
  for (let round = 0; round < wanted; round += 1) {
    const death = deaths[round % deaths.length] ?? 'asleep';
    const count = 1 + random(wakingsMin);
    const problems = problemsOf(await runSleepers(death, { count }), plain);
    wrong += problems.length;
    const result = problems.length === 0 ? 'equal' : problems.join(' ');
    console.log(`sleepers, round ${round + 1}: a host died at ${death} ${count}, ${result}`);
  }
  failures += wrong;
  totals.push(`sleepers: ${wanted} kills in ${wanted} runs, ${wrong} problems`);
}

await chaos('processes', Number(values.instants), 6, (instants) =>
  runKilled({ ...plan, instants }),
);
await chaos('hosts', Number(values.workers), 5, (instants) =>
  runHostKilled({ ...plan, instants, hosts, pick: () => random(1_000) / 1_000 }),
);
await chaosOfSleepers(Number(values.sleepers));
console.log(`\nseed ${values.seed}\n${totals.join('\n')}`);
process.exitCode = failures === 0 ? 0 : 1;
