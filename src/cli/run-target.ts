/** Where runs are started: in a live server, or in a runtime of this process. */

import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import type {
  EffectView,
  EventView,
  ForkRequest,
  ResolveRequest,
  RunView,
  StartRunRequest,
} from '../runtime/views.ts';
import type { CommandContext } from './command.ts';
import { findServer } from './connect.ts';
import type { RunningRuntime } from './services.ts';

export interface RunTarget {
  startRun(request: StartRunRequest): Promise<RunView>;
  fork(id: string, request: ForkRequest): Promise<RunView>;
  /** Every event from the first one; resolves with the ended run. */
  follow(id: string, onEvent: (event: EventView) => void): Promise<RunView>;
  cancel(id: string): Promise<RunView>;
  resolve(id: string, request: ResolveRequest): Promise<EffectView>;
  /** Whether the runs go on when this target is closed. */
  readonly outlives: boolean;
  /** What becomes of an open run that nobody follows any more, for people. */
  afterInterrupt(id: string): string;
  /** Leaves a server as it is; stops a runtime of this process. */
  close(): Promise<void>;
}

/** A runtime of this process as a target that its owner closes. */
export function localTarget(runtime: RunningRuntime): RunTarget {
  return {
    startRun: (request) => runtime.startRun(request),
    fork: (id, request) => runtime.fork(id, request),
    follow: async (id, onEvent) => {
      let next = 1;
      const take = (event: EventView): void => {
        next = event.sequence + 1;
        onEvent(event);
      };
      const stop = runtime.subscribe(id, next, take);
      const run = await runtime.ended(id).finally(stop);
      // The end may be known before its last events are delivered.
      while (next <= run.events) {
        const page = runtime.events(id, { from: next, limit: limits.eventsPageMax });
        assert(page.length > 0, 'an ended run has all its events');
        page.forEach(take);
      }
      return run;
    },
    cancel: (id) => runtime.cancel(id),
    resolve: (id, request) => runtime.resolve(id, request),
    outlives: false,
    afterInterrupt: (id) => `Stopped; claw up goes on with the run ${id}.`,
    close: () => runtime.stop(),
  };
}

/** The server of the data directory where there is one, else a runtime without an API. */
export async function openRunTarget(context: CommandContext): Promise<RunTarget> {
  const server = await findServer(context);
  if (server === null) {
    const { services, config, output } = context;
    const runtime = await services.startRuntime(config, {
      onNotice: (text) => output.notice(text),
    });
    return localTarget(runtime);
  }
  return {
    startRun: (request) => server.startRun(request),
    fork: (id, request) => server.fork(id, request),
    follow: (id, onEvent) => server.follow(id, onEvent),
    cancel: (id) => server.cancel(id),
    resolve: (id, request) => server.resolve(id, request),
    outlives: true,
    afterInterrupt: (id) =>
      `The run ${id} goes on in the server at ${server.url}; claw cancel ${id} ends it.`,
    close: async () => server.close(),
  };
}
