/**
 * One run in a process of its own, whose hosts die where `fatal-points.ts` lets
 * them: `node --import ./test/crash/fatal-points.ts test/crash/fatal-run.ts PIPELINE INPUT`.
 * Prints what came of it as JSON.
 */
import { runHostKilled } from './kill-host.ts';

const [, , pipeline = '', input = ''] = process.argv;
const plan = { pipeline, input, runMsMax: 60_000, instants: [], hosts: 1, pick: () => 0 };
console.log(JSON.stringify(await runHostKilled(plan)));
