/** What came of all questions before and after supervision, as figures. */
import { type Figure, figure } from '../harness.ts';
import type { Delivered } from './arms.ts';

export interface Pair {
  readonly before: Delivered;
  readonly after: Delivered;
}

export interface Tally {
  readonly questions: number;
  readonly right: readonly [number, number];
  readonly wrong: readonly [number, number];
  readonly human: number;
  /** Right answers that a detector stopped or corrected, and of these the ones that are right no more. */
  readonly disturbed: number;
  readonly lost: number;
  readonly written: readonly [number, number];
  readonly all: readonly [number, number];
}

export function tally(pairs: readonly Pair[]): Tally {
  const count = (holds: (pair: Pair) => boolean) => pairs.filter(holds).length;
  const sum = (of: (pair: Pair) => number) => pairs.reduce((total, pair) => total + of(pair), 0);
  const wasRight = ({ before }: Pair) => before.verdict === 'right';
  const verdicts = (verdict: Delivered['verdict']) =>
    [
      count(({ before }) => before.verdict === verdict),
      count(({ after }) => after.verdict === verdict),
    ] as const;
  return {
    questions: pairs.length,
    right: verdicts('right'),
    wrong: verdicts('wrong'),
    human: count(({ after }) => after.verdict === 'human'),
    disturbed: count((pair) => wasRight(pair) && pair.after.intervened),
    lost: count((pair) => wasRight(pair) && pair.after.verdict !== 'right'),
    written: [sum(({ before }) => before.written), sum(({ after }) => after.written)],
    all: [
      sum(({ before }) => before.written + before.read),
      sum(({ after }) => after.written + after.read),
    ],
  };
}

const less = { higherIsBetter: false };

/** Which figures are held to a goal: all that have one, those of lost answers but not of disturbed ones, or none. */
export type Goals = 'all' | 'lost' | 'none';

export function tallyFigures(name: string, found: Tally, goals: Goals): Figure[] {
  const { right, wrong, human, disturbed, lost, written, all, questions } = found;
  const goal = (value: number) => (goals === 'none' ? less : { ...less, goal: value });
  const per = (part: number, whole: number) => [whole === 0 ? 0 : part / whole];
  return [
    figure(
      `${name}: wrong answers delivered, after / before`,
      'x',
      per(wrong[1], wrong[0]),
      goal(0.5),
    ),
    figure(`${name}: right answers delivered, after / before`, 'x', per(right[1], right[0])),
    figure(`${name}: handed to a human, of all`, 'share', per(human, questions), less),
    figure(
      `${name}: right answers intervened on, of right`,
      'share',
      per(disturbed, right[0]),
      goals === 'all' ? goal(0.05) : less,
    ),
    figure(`${name}: right answers lost, of right`, 'share', per(lost, right[0]), goal(0.05)),
    figure(`${name}: tokens written, after / before`, 'x', per(written[1], written[0]), less),
    figure(`${name}: tokens read and written, after / before`, 'x', per(all[1], all[0]), goal(1.3)),
  ];
}
