/**
 * An actuator decides which intentions are carried out and when; what carries
 * them out is not its business. It lives as long as its thread and is not
 * journaled: a restart begins it anew.
 *
 * Invariants
 *   T1. At most `runningMax` intentions are carried out at once, in the order
 *       in which they came; at most `waitingMax` wait.
 *   T2. Every request is answered by `perform`, at once or later, or by
 *       `refuse`; a request that ended while it waited gets neither.
 *   T3. After `close` nothing new begins; the actuator is closed once the last
 *       intention has ended.
 */
import { assign, enqueueActions, setup } from 'xstate';

export interface ActuatorLimits {
  readonly runningMax: number;
  readonly waitingMax: number;
}

interface ActuatorContext extends ActuatorLimits {
  readonly running: readonly string[];
  readonly waiting: readonly string[];
}

export type ActuatorEvent =
  | { readonly type: 'request'; readonly key: string }
  /** The intention is over, or was withdrawn while it waited. */
  | { readonly type: 'ended'; readonly key: string }
  | { readonly type: 'close' };

/** What the owner of the actuator has to do now. */
export interface ActuatorCommand {
  readonly type: 'perform' | 'refuse';
  readonly key: string;
}

type Arguments = { context: ActuatorContext; event: ActuatorEvent };

function keyOf(event: ActuatorEvent): string {
  return event.type === 'close' ? '' : event.key;
}

const mayRun = ({ context }: Arguments): boolean => context.running.length < context.runningMax;
const mayWait = ({ context }: Arguments): boolean => context.waiting.length < context.waitingMax;
const isRunning = ({ context, event }: Arguments): boolean =>
  context.running.includes(keyOf(event));
const hasNext = (arguments_: Arguments): boolean =>
  isRunning(arguments_) && arguments_.context.waiting.length > 0;

const withdraw = ({ context, event }: Arguments): Partial<ActuatorContext> => ({
  running: context.running.filter((key) => key !== keyOf(event)),
  waiting: context.waiting.filter((key) => key !== keyOf(event)),
});

/** The place of the ended intention passes to the first that waits. */
const passOn = ({ context, event }: Arguments): Partial<ActuatorContext> => {
  const [next = '', ...waiting] = context.waiting;
  return { running: [...context.running.filter((key) => key !== keyOf(event)), next], waiting };
};

export const actuatorMachine = setup({
  types: {
    context: {} as ActuatorContext,
    events: {} as ActuatorEvent,
    input: {} as ActuatorLimits,
  },
  actions: { command: (_: unknown, _parameters: ActuatorCommand) => undefined },
}).createMachine({
  id: 'actuator',
  version: '1',
  context: ({ input }) => ({ ...input, running: [], waiting: [] }),
  initial: 'open',
  states: {
    open: {
      on: {
        request: [
          {
            guard: mayRun,
            actions: [
              assign(({ context, event }) => ({ running: [...context.running, event.key] })),
              { type: 'command', params: ({ event }) => ({ type: 'perform', key: event.key }) },
            ],
          },
          {
            guard: mayWait,
            actions: assign(({ context, event }) => ({ waiting: [...context.waiting, event.key] })),
          },
          {
            actions: {
              type: 'command',
              params: ({ event }) => ({ type: 'refuse', key: event.key }),
            },
          },
        ],
        ended: [
          {
            guard: hasNext,
            actions: enqueueActions(({ context, enqueue }) => {
              enqueue.assign(passOn);
              enqueue({
                type: 'command',
                params: { type: 'perform', key: context.waiting[0] ?? '' },
              });
            }),
          },
          { actions: assign(withdraw) },
        ],
        close: {
          target: 'draining',
          actions: enqueueActions(({ context, enqueue }) => {
            for (const key of context.waiting)
              enqueue({ type: 'command', params: { type: 'refuse', key } });
            enqueue.assign({ waiting: [] });
          }),
        },
      },
    },
    draining: {
      always: { guard: ({ context }) => context.running.length === 0, target: 'closed' },
      on: {
        request: {
          actions: { type: 'command', params: ({ event }) => ({ type: 'refuse', key: event.key }) },
        },
        ended: { actions: assign(withdraw) },
      },
    },
    closed: {
      on: {
        request: {
          actions: { type: 'command', params: ({ event }) => ({ type: 'refuse', key: event.key }) },
        },
      },
    },
  },
});
