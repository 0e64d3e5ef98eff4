/** `claw replay RUN --inspect`: the chosen event under a debugger of the user's own. */
import { assert } from '../kernel/assert.ts';
import {
  awaitDebugger,
  type StopCode,
  type StopPlace,
  stopWithin,
} from '../runtime/replay-inspector.ts';
import type { Output } from './output.ts';
import type { ReplaySession } from './services.ts';

/** What Node.js itself listens on. */
export const inspectorPort = 9229;

export interface Inspected extends StopPlace {
  readonly sequence: number;
}

/**
 * Waits for a debugger and stops in the machine at the first line that the
 * event `sequence` reaches. The fold up to there has no breakpoint in it. The
 * inspector stays open to the end of the process.
 * @param begin A session at the beginning of the run.
 * @throws RuntimeError PORT_IN_USE
 */
export function inspectEvent(
  begin: () => ReplaySession,
  { sequence, port }: { readonly sequence: number; readonly port: number },
  output: Output,
): Inspected {
  const before = (): ReplaySession => {
    const session = begin();
    session.goTo(sequence - 1);
    return session;
  };
  const prepared = before();
  output.notice(
    `Event ${sequence} waits for a debugger: open chrome://inspect, or attach an editor.`,
  );
  awaitDebugger(port);
  // A machine may take an event without a function of its own; where it is stepped always runs.
  const place = stop('machine', prepared) ?? stop('stepper', before());
  assert(place !== null, 'an event is stepped');
  output.notice(`Stopped in ${place.file}:${place.line}.`);
  return { sequence, ...place };
}

function stop(code: StopCode, session: ReplaySession): StopPlace | null {
  return stopWithin(code, () => void session.forward());
}
