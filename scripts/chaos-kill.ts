/**
 * Kills the whole process group of `claw up` with SIGKILL at random instants
 * of the example run, and checks what comes out.
 *
 *   node scripts/chaos-kill.ts [--instants 20] [--seed 1]
 *        [--pipeline FILE] [--input DIR]
 *
 * Exit status 0 when every killed run gave the result of an undisturbed one.
 */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { randomInstants, runKilled } from '../test/crash/kill-run.ts';

const example = (path: string): string =>
  fileURLToPath(new URL(`../examples/inbox/${path}`, import.meta.url));
const { values } = parseArgs({
  options: {
    instants: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    pipeline: { type: 'string', default: example('pipeline.yaml') },
    input: { type: 'string', default: example('messages') },
  },
});
const wanted = Number(values.instants);
const random = randomInstants(Number(values.seed));
const plan = { pipeline: values.pipeline, input: values.input, runMsMax: 300_000 };

const undisturbed = await runKilled({ ...plan, instants: [] });
const lengthMs = (undisturbed.run.endedAt ?? 0) - undisturbed.run.createdAt;
console.log(
  `undisturbed: ${undisturbed.run.status}, result ${undisturbed.run.resultHash}, ${lengthMs} ms`,
);

let kills = 0;
let failures = undisturbed.problems.length;
for (let round = 1; kills < wanted; round += 1) {
  const count = Math.min(wanted - kills, 1 + random(3));
  // The first anywhere in the run, the next ones in what is probably left of it.
  const instants = Array.from({ length: count }, (_, index) =>
    random(index === 0 ? lengthMs * 0.9 : lengthMs * 0.4),
  );
  const killed = await runKilled({ ...plan, instants });
  kills += killed.kills;
  const problems = [...killed.problems];
  if (killed.run.status !== 'succeeded') problems.push(`The run ended as ${killed.run.status}.`);
  if (killed.run.resultHash !== undisturbed.run.resultHash)
    problems.push('The result hash is another.');
  if (killed.report !== undisturbed.report) problems.push('The report is another.');
  failures += problems.length;
  console.log(
    `round ${round}: killed ${killed.kills} times (at ${instants.join(', ')} ms), ${killed.run.events} events, ${problems.length === 0 ? 'equal' : problems.join(' ')}`,
  );
}
console.log(`${kills} kills, ${failures} problems, seed ${values.seed}`);
process.exitCode = failures === 0 ? 0 : 1;
