/**
 * One run in a process of its own, whose hosts die where `fatal-points.ts` lets
 * them: `node --import ./test/crash/fatal-points.ts test/crash/fatal-run.ts PIPELINE INPUT [URL]`,
 * with the model at that address.
 * Prints what came of it as JSON.
 */
import { runHostKilled } from './kill-host.ts';

const [, , pipeline = '', input = '', baseUrl] = process.argv;
const model = baseUrl === undefined ? {} : { baseUrl, name: 'm' };
const plan = {
  model,
  pipeline,
  input,
  runMsMax: 60_000,
  instants: [],
  hosts: Number(process.env.FATAL_HOSTS ?? 1),
  pick: () => 0,
};
console.log(JSON.stringify(await runHostKilled(plan)));
