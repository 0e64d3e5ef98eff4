/** Steps one machine by hand: an event in, its intentions out. */
import type { ActorEvent, StartEvent } from '../../src/actors/event.ts';
import type { Intention, MachineName } from '../../src/actors/intention.ts';
import type { Outcome } from '../../src/actors/outcome.ts';
import {
  type PipelineDefinition,
  pipelineDefinitionSchema,
} from '../../src/actors/pipeline-definition.ts';
import { initialState, isDone, type MachineState, step } from '../../src/actors/step.ts';
import type { StepResult } from '../../src/actors/step-result.ts';
import type { ErrorMessage } from '../../src/kernel/errors.ts';
import type { Json } from '../../src/kernel/json.ts';

export class Stepped {
  #state: MachineState;
  #at = 1_000;

  constructor(machine: MachineName) {
    this.#state = initialState(machine);
  }

  /** Time of the last event, milliseconds since the epoch. */
  get at(): number {
    return this.#at;
  }

  get done(): boolean {
    return isDone(this.#state);
  }

  get state(): MachineState {
    return this.#state;
  }

  send(event: ActorEvent): readonly Intention[] {
    this.#at += 1;
    const { state, intentions } = step(this.#state, { ...event, at: this.#at });
    this.#state = state;
    return intentions;
  }
}

export function definitionText(definition: unknown): string {
  return JSON.stringify(pipelineDefinitionSchema.parse(definition));
}

export function parsed(definition: unknown): PipelineDefinition {
  return pipelineDefinitionSchema.parse(definition);
}

export function started(
  machine: MachineName,
  event: StartEvent,
): {
  readonly of: Stepped;
  readonly intentions: readonly Intention[];
} {
  const of = new Stepped(machine);
  return { of, intentions: of.send(event) };
}

function outcomeOf(tag: string, outcome: Outcome): ActorEvent {
  return { type: 'outcome', tag, outcome };
}

export function completed(tag: string, value: Json): ActorEvent {
  return outcomeOf(tag, { status: 'completed', value });
}

export function failed(tag: string, error: Partial<ErrorMessage> = {}): ActorEvent {
  return outcomeOf(tag, {
    status: 'failed',
    error: { code: 'ACTUATOR_FAILED', message: 'It broke.', ...error },
  });
}

export function answer(text: string, minConfidence: number | null = 0.9): ActorEvent {
  return completed('generate', { status: 'completed', text, minConfidence, halt: null });
}

export function halt(evidence: string, detector = 'confidence'): ActorEvent {
  return completed('generate', {
    status: 'halted',
    text: '',
    minConfidence: 0.1,
    halt: { detector, evidence },
  });
}

export function result(change: Partial<StepResult> = {}): StepResult {
  return {
    verdict: 'accepted',
    output: 'fine',
    reasons: [],
    confidence: 0.9,
    attempts: 1,
    ...change,
  };
}
