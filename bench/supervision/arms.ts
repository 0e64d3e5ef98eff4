/** The ways to intervene on a doubtful answer, each as a supervised agent goes them. */
import type {
  Correction,
  DetectorSettings,
  GenerationOutcome,
} from '../../src/inference/model-port.ts';
import { type Asker, noDetectors } from './asker.ts';
import type { Item } from './items.ts';

export interface Arm {
  readonly name: string;
  /** Its thresholds stop three times as many right answers: those that come back right are not lost. */
  readonly eager?: true;
  /** Tokens are taken back and sampled again within the generation. */
  readonly correction?: Correction;
  /** What is asked after a doubtful answer, in order; then it is handed to a human. */
  readonly next: readonly ('again' | 'hotter' | 'facts')[];
}

const correction: Correction = { times: 2, temperature: 0.4 };

export const arms: readonly Arm[] = [
  { name: 'human', next: [] },
  { name: 'again', next: ['again', 'hotter'] },
  { name: 'facts', next: ['facts'] },
  { name: 'rollback', correction, next: [] },
  { name: 'rollback, eager', eager: true, correction, next: [] },
  { name: 'rollback, facts', correction, next: ['facts'] },
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

function verdictOf({ status, text }: GenerationOutcome, want: string): Delivered['verdict'] {
  if (status === 'halted') return 'human';
  return text === want ? 'right' : 'wrong';
}

export async function unsupervised(asker: Asker, item: Item) {
  const { messages, temperature, want } = item;
  const outcome = await asker.ask({ messages, temperature, seed: 1, detectors: noDetectors });
  return { outcome, delivered: delivered([outcome], want) };
}

function delivered(outcomes: readonly GenerationOutcome[], want: string): Delivered {
  const last = outcomes.at(-1);
  const corrections = outcomes.flatMap(({ interventions = [] }) => interventions);
  const sum = (of: readonly number[]) => of.reduce((total, each) => total + each, 0);
  return {
    verdict: last === undefined ? 'human' : verdictOf(last, want),
    intervened: corrections.length > 0 || outcomes.some(({ status }) => status === 'halted'),
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
  { arm, detectors }: { readonly arm: Arm; readonly detectors: DetectorSettings },
): Promise<Delivered> {
  const { messages, grounded, temperature, want } = item;
  const common = {
    detectors,
    ...(arm.correction === undefined ? {} : { correction: arm.correction }),
  };
  const outcomes = [await asker.ask({ ...common, messages, temperature, seed: 1 })];
  for (const next of arm.next) {
    if (outcomes.at(-1)?.status !== 'halted') break;
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
  return delivered(outcomes, want);
}
