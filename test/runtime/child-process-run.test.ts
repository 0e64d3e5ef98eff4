/** Runs whose model serves from a process of its own, which dies in the middle of a generation. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { EventView } from '../../src/runtime/views.ts';
import { doubledOutcomes } from '../crash/kill-run.ts';
import { modelProcesses } from '../inference/model-processes.ts';
import { deskTexts, makeDesk, openRuntime, runToEnd } from './running.ts';

const texts = deskTexts(3);

/** Ends the process of the model at each of these tokens of the run. */
function killAt(runtime: Runtime, atTokens: readonly number[], signal: NodeJS.Signals): number[] {
  const killed: number[] = [];
  let token = 0;
  runtime.onToken(() => {
    token += 1;
    if (!atTokens.includes(token)) return;
    const pid = modelProcesses().at(-1);
    if (pid === undefined) return;
    process.kill(pid, signal);
    killed.push(pid);
  });
  return killed;
}

async function replays(dataDirectory: string, run: string): Promise<boolean> {
  const readOnly = openReadOnly(dataDirectory);
  onTestFinished(() => readOnly.close());
  return (await readOnly.replay(run)).equal;
}

function failuresOf(events: readonly EventView[]): unknown[] {
  return events
    .filter(({ event }) => event.type === 'agent-failed')
    .map(({ event }) => event.error);
}

describe('a run on a model in a child process', () => {
  test.each(['SIGKILL', 'SIGABRT'] as const)(
    'ends as an undisturbed one although %s ends that process twice',
    async (signal) => {
      const calm = makeDesk(texts);
      const quiet = await openRuntime(calm.dataDirectory);
      const undisturbed = await runToEnd(quiet, calm.request);
      await quiet.stop();

      const { dataDirectory, request } = makeDesk(texts);
      const runtime = await openRuntime(dataDirectory, { model: { process: 'child' } });
      const killed = killAt(runtime, [20, 70], signal);
      const run = await runToEnd(runtime, request);

      expect(new Set(killed).size).toBe(2);
      expect(run).toMatchObject({ status: 'succeeded', progress: { handedToHuman: 0 } });
      expect(run.resultHash).toBe(undisturbed.resultHash);
      const events = runtime.events(run.id, { from: 1, limit: 1_000 });
      // On a busy machine a token may be heard after its generation has ended.
      const failures = failuresOf(events);
      expect([1, 2]).toContain(failures.length);
      expect(failures).toEqual(
        failures.map(() =>
          expect.objectContaining({ code: 'INFERENCE_UNAVAILABLE', retryable: true }),
        ),
      );
      expect(doubledOutcomes([...events])).toEqual([]);
      const open = runtime.effects(run.id).filter(({ answered }) => answered === null);
      expect(open).toEqual([]);
      await runtime.stop();
      expect(await replays(dataDirectory, run.id)).toBe(true);
      expect(modelProcesses()).toEqual([]);
    },
    120_000,
  );
});
