/** Runs the actuator machine of one actuator: turns its commands into promises. */
import { getInitialSnapshot } from 'xstate';
import {
  type ActuatorCommand,
  type ActuatorEvent,
  type ActuatorLimits,
  actuatorMachine,
} from '../actors/actuator.ts';
import { stepMachine } from '../actors/step.ts';
import type { MachineSnapshot } from '../actors/stepper.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';

export class ActuatorActor {
  #snapshot: MachineSnapshot;
  readonly #turns = new Map<string, PromiseWithResolvers<void>>();

  constructor(bounds: ActuatorLimits) {
    assert(bounds.runningMax >= 1, 'an actuator carries out at least one intention');
    this.#snapshot = getInitialSnapshot(actuatorMachine, bounds);
  }

  /** Resolves when the intention's turn has come; null when it is refused. */
  request(key: string): Promise<void> | null {
    assert(!this.#turns.has(key), `the intention ${key} is here once`);
    const turn = Promise.withResolvers<void>();
    // A turn that is taken back may have nobody waiting any more.
    turn.promise.catch(() => undefined);
    this.#turns.set(key, turn);
    const refused = this.#take({ type: 'request', key });
    return refused.includes(key) ? null : turn.promise;
  }

  /** The intention is over, whether or not its turn had come. */
  ended(key: string): void {
    this.#turns.delete(key);
    this.#take({ type: 'ended', key });
  }

  /** Refuses whatever waits or comes; what runs may end. */
  close(): void {
    this.#take({ type: 'close' });
  }

  /** Takes one event; answers with the keys that were refused. */
  #take(event: ActuatorEvent): readonly string[] {
    const taken = { event, action: 'command' };
    const stepped = stepMachine<ActuatorCommand>(actuatorMachine, this.#snapshot, taken);
    this.#snapshot = stepped.snapshot;
    const refused: string[] = [];
    for (const { type, key } of stepped.emitted) {
      const turn = this.#turns.get(key);
      if (type === 'perform') turn?.resolve();
      else {
        refused.push(key);
        this.#turns.delete(key);
        turn?.reject(
          new RuntimeError('ACTUATOR_BUSY', 'The actuator is stopping.', { retryable: true }),
        );
      }
    }
    return refused;
  }
}
