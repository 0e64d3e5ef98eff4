/**
 * Feeds every token of a generation to the detectors of its request.
 *
 * Invariants
 *   D1. A detector is a pure reducer: what it says of a token depends on that
 *       token and those before it, so a generation can be rewound to any of them.
 *   D2. A free text has no structure that could stall.
 */
import { assert } from '../kernel/assert.ts';
import { collapseDetector } from './collapse-detector.ts';
import { confidenceDetector } from './confidence-detector.ts';
import type { DetectorHalt, DetectorSettings, GeneratedToken } from './model-port.ts';
import { nearRepetitionDetector } from './near-repetition-detector.ts';
import { perplexityDetector } from './perplexity-detector.ts';
import { repetitionDetector } from './repetition-detector.ts';
import { spikeDetector } from './spike-detector.ts';
import { stallDetector } from './stall-detector.ts';
import type { DetectorStep, TokenDetector } from './token-detector.ts';

/** What the detectors of a generation make of one token. */
export interface Detected {
  /** The first halt of any detector, or null. */
  readonly halt: DetectorHalt | null;
  /** Of the halt. */
  readonly goodTokens: number;
  readonly stirs: boolean;
}

interface RunningDetector {
  take(token: GeneratedToken): DetectorStep<unknown>;
  /** Forgets all but the first tokens. */
  rewind(tokens: number): void;
}

function start<State>({ initial, reduce }: TokenDetector<State>): RunningDetector {
  const states = [initial];
  return {
    take(token) {
      const step = reduce(states.at(-1) as State, token);
      states.push(step.state);
      return step;
    },
    rewind(tokens) {
      states.length = tokens + 1; // (D1)
    },
  };
}

/** What makes a detector, by the setting that switches it on, in the order in which they are asked. */
const makers: {
  readonly [Name in keyof DetectorSettings]-?: (threshold: number) => RunningDetector;
} = {
  minConfidence: (threshold) => start(confidenceDetector(threshold)),
  repetition: (threshold) => start(repetitionDetector(threshold)),
  spike: (threshold) => start(spikeDetector(threshold)),
  perplexity: (threshold) => start(perplexityDetector(threshold)),
  collapse: (threshold) => start(collapseDetector(threshold)),
  nearRepetition: (threshold) => start(nearRepetitionDetector(threshold)),
  stall: (threshold) => start(stallDetector(threshold)),
};

function detectorsOf(settings: DetectorSettings, json: boolean): RunningDetector[] {
  return Object.entries(makers).flatMap(([name, make]) => {
    const threshold = settings[name as keyof DetectorSettings] ?? null;
    if (threshold === null || (name === 'stall' && !json)) return []; // (D2)
    return [make(threshold)];
  });
}

/** The detectors of one generation. */
export class DetectorRun {
  readonly #running: readonly RunningDetector[];
  #seen = 0;

  /** @param json The answer is kept to a JSON Schema. */
  constructor(settings: DetectorSettings, json = false) {
    this.#running = detectorsOf(settings, json);
  }

  /** Takes the next token. */
  take(token: GeneratedToken): Detected {
    this.#seen += 1;
    const steps = this.#running.map((detector) => detector.take(token));
    const first = steps.find(({ halt }) => halt !== null);
    const halt = first?.halt ?? null;
    return {
      halt,
      goodTokens: first?.goodTokens ?? halt?.atToken ?? this.#seen,
      stirs: halt !== null || steps.some(({ stirs }) => stirs === true),
    };
  }

  /** Goes back to after the first tokens. */
  rewind(tokens: number): void {
    assert(tokens <= this.#seen, 'only what was seen can be forgotten');
    this.#seen = tokens;
    for (const detector of this.#running) detector.rewind(tokens);
  }
}
