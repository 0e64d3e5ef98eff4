/** Begins a fork on hosts that a test drives. */
import { newRunId, type RunId } from '../../src/kernel/ids.ts';
import { type ForkedFrom, runStartedRecords } from '../../src/runtime/event-record.ts';
import { recoverRun } from '../../src/runtime/replay-run.ts';
import { resumeRun } from '../../src/runtime/resume-run.ts';
import type { World } from './world.ts';

/**
 * @param change What is another than in a fork that only goes on; `definition` goes with `amended`.
 * @param ports In place of those of the hosts.
 */
export async function fork(
  of: World,
  parent: RunId,
  { definition, ...change }: Partial<ForkedFrom> & { readonly definition?: string },
  ports: Partial<Parameters<typeof resumeRun>[2]> = {},
): Promise<RunId> {
  const run = newRunId();
  const { started } = of.follower.entry(parent);
  const at = change.at ?? 1;
  const from = { run: parent, at, amended: false, outcomes: {}, allowEffects: false, ...change };
  const told = definition === undefined ? {} : { definition };
  const recording = { timeMs: of.clock.nowMs(), store: of.storeOf(run, parent) };
  of.append(runStartedRecords(run, { ...started, ...told, parent: from }, recording));
  of.flush();
  await resumeRun(of.follower.entry(run), recoverRun(of.follower, run), {
    directory: of.directory,
    room: async () => undefined,
    hosts: 1,
    adopt: (host, message) => of.host(host).adopt(message),
    deliver: (host, envelope) => of.post(host, envelope),
    ...ports,
  });
  return run;
}
