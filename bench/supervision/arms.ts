/** The ways to intervene on a doubtful answer, each as a supervised agent goes them. */
import type {
  Correction,
  DetectorSettings,
  GenerationOutcome,
} from '../../src/inference/model-port.ts';
import { type Asker, noDetectors } from './asker.ts';
import type { Item } from './items.ts';
import { standsInSource } from './source-check.ts';

export interface Arm {
  readonly name: string;
  /** More right answers are stopped with them: those that come back right are not lost. */
  readonly thresholds?: 'limit' | 'eager';
  /** Tokens are taken back and sampled again within the generation. */
  readonly correction?: Correction;
  /**
   * An answer that passes the detectors is doubted where it does not stand in its source; one that
   * goes in circles is handed over at once, because asking again does not help it.
   */
  readonly source?: true;
  /** What is asked after a doubtful answer, in order; then it is handed to a human. */
  readonly next: readonly ('again' | 'hotter' | 'facts')[];
}

const circles: readonly unknown[] = ['repetition', 'near-repetition', 'collapse'];
const correction: Correction = { times: 2, temperature: 0.4 };

export const arms: readonly Arm[] = [
  { name: 'human', next: [] },
  { name: 'again', next: ['again', 'hotter'] },
  { name: 'facts', next: ['facts'] },
  { name: 'rollback', correction, next: [] },
  { name: 'rollback, eager', thresholds: 'eager', correction, next: [] },
  { name: 'rollback, facts', correction, next: ['facts'] },
  { name: 'rollback, source', correction, source: true, next: ['facts'] },
  {
    name: 'rollback, source, limit',
    thresholds: 'limit',
    correction,
    source: true,
    next: ['facts'],
  },
  {
    name: 'rollback, source, eager',
    thresholds: 'eager',
    correction,
    source: true,
    next: ['facts'],
  },
];

export interface Delivered {
  /** What came of the question: an answer, or it is with a human. */
  readonly verdict: 'right' | 'wrong' | 'human';
  /** A detector stopped or corrected a generation. */
  readonly intervened: boolean;
  readonly read: number;
  /** Also those that were taken back or thrown away. */
  readonly written: number;
}

export async function unsupervised(asker: Asker, item: Item) {
  const { messages, temperature, want } = item;
  const outcome = await asker.ask({ messages, temperature, seed: 1, detectors: noDetectors });
  return { outcome, delivered: delivered([outcome], want, ({ status }) => status === 'halted') };
}

function delivered(
  outcomes: readonly GenerationOutcome[],
  want: string,
  isDoubtful: (outcome: GenerationOutcome) => boolean,
): Delivered {
  const last = outcomes.at(-1);
  const answered = last?.text === want ? 'right' : 'wrong';
  const corrections = outcomes.flatMap(({ interventions = [] }) => interventions);
  const sum = (of: readonly number[]) => of.reduce((total, each) => total + each, 0);
  return {
    verdict: last === undefined || isDoubtful(last) ? 'human' : answered,
    intervened: corrections.length > 0 || outcomes.some(isDoubtful),
    read: sum(outcomes.map(({ usage }) => usage.promptTokens)),
    written:
      sum(outcomes.map(({ usage }) => usage.answerTokens)) +
      sum(corrections.map(({ discardedTokens }) => discardedTokens)),
  };
}

/** Asks with detectors until an answer passes them or nothing is left to try. */
export async function supervised(
  asker: Asker,
  item: Item,
  {
    arm,
    detectors,
    copying,
  }: {
    readonly arm: Arm;
    readonly detectors: DetectorSettings;
    /** Tasks whose answers are checked against their source. */
    readonly copying: ReadonlySet<string>;
  },
): Promise<Delivered> {
  const { messages, grounded, temperature, want } = item;
  const isChecked = arm.source === true && copying.has(item.task);
  const isDoubtful = ({ status, text }: GenerationOutcome): boolean =>
    status === 'halted' || (isChecked && !standsInSource(text, item));
  const common = {
    detectors,
    ...(arm.correction === undefined ? {} : { correction: arm.correction }),
  };
  const outcomes = [await asker.ask({ ...common, messages, temperature, seed: 1 })];
  for (const next of arm.next) {
    const last = outcomes.at(-1);
    if (last === undefined || !isDoubtful(last)) break;
    if (arm.source === true && circles.includes(last.halt?.detector)) break;
    const seed = outcomes.length + 1;
    const again = { ...common, messages, temperature: next === 'hotter' ? 0.7 : 0.4, seed };
    outcomes.push(
      await asker.ask(
        next === 'facts' && grounded !== null
          ? { ...common, messages: grounded, temperature: 0, seed }
          : again,
      ),
    );
  }
  return delivered(outcomes, want, isDoubtful);
}
