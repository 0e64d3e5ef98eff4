/**
 * What a cascade of two models, a vote and a critic are worth, on questions held out of the
 * training of the embedded model: right answers, and their cost against one question to the
 * embedded model. Cost is tokens, read and written, times parameters.
 *
 * The draft model is the small one and the embedded model the large one. The threshold below
 * which the small answer is passed over is chosen on one half of the questions, as the one that costs
 * least among those that lose at most a point; every figure is of the other half. A vote has five
 * samples at 0.7 beside the greedy answer. A critic reads the text and the answer as a claim; where it
 * objects, the question is asked once more at 0.7.
 *
 * One generation at a time, deterministic: the figures are the same in each run.
 */
import { join } from 'node:path';
import type { ChatMessage, GenerationOutcome } from '../src/inference/model-port.ts';
import { assert } from '../src/kernel/assert.ts';
import { benchOptions, type Figure, figure, report } from './harness.ts';
import { embeddedModelFile } from './inference/models.ts';
import { Asker, noDetectors } from './supervision/asker.ts';
import { type Item, readItems } from './supervision/items.ts';

const draftFile = join(embeddedModelFile, '../tiny-agent-draft.gguf');
/** Of the model card. */
const parameters = { small: 436_224, large: 3_801_088 };
const samples = 5;
const sampleTemperature = 0.7;
/** Right answers that a cascade may lose, as a share of all questions. */
const lossMax = 0.01;

const { quick } = benchOptions();
const small = await Asker.open(draftFile);
const large = await Asker.open();
const items = readItems(quick ? 4 : 1).filter(({ condition }) => condition === 'plain');

function ask(asker: Asker, messages: ChatMessage[], temperature = 0, seed = 1) {
  return asker.ask({ messages, temperature, seed, detectors: noDetectors });
}

const tokensOf = ({ usage }: GenerationOutcome): number => usage.promptTokens + usage.answerTokens;
const saidBy = ({ text }: GenerationOutcome): string => text.trim();
const isRight = (item: Item, said: string): boolean => said === item.want.trim();

interface Both {
  readonly item: Item;
  readonly little: GenerationOutcome;
  readonly much: GenerationOutcome;
}

interface Outcome {
  /** Share of the questions. */
  readonly right: number;
  /** Against the large model alone. */
  readonly cost: number;
}

function cascade(all: readonly Both[], below: number): Outcome {
  let right = 0;
  let cost = 0;
  let alone = 0;
  for (const { item, little, much } of all) {
    const escalates = (little.minConfidence ?? 0) < below;
    if (isRight(item, saidBy(escalates ? much : little))) right += 1;
    cost += tokensOf(little) * parameters.small;
    if (escalates) cost += tokensOf(much) * parameters.large;
    alone += tokensOf(much) * parameters.large;
  }
  return { right: right / all.length, cost: cost / alone };
}

const both: Both[] = [];
for (const item of items) {
  const little = await ask(small, item.messages);
  both.push({ item, little, much: await ask(large, item.messages) });
}
const half = (name: Item['half']) => both.filter(({ item }) => item.half === name);
const [calibration, test] = [half('calibration'), half('test')];

const thresholds = Array.from({ length: 101 }, (_, percent) => percent / 100);
const needed = cascade(calibration, 2).right - lossMax;
const below = thresholds.find((threshold) => cascade(calibration, threshold).right >= needed) ?? 1;

async function vote({ item, much }: Both): Promise<{ said: string; cost: number }> {
  const said = [saidBy(much)];
  let tokens = tokensOf(much);
  for (let seed = 1; seed <= samples; seed += 1) {
    const sample = await ask(large, item.messages, sampleTemperature, seed);
    said.push(saidBy(sample));
    tokens += tokensOf(sample);
  }
  const counts = new Map<string, number>();
  for (const each of said) counts.set(each, (counts.get(each) ?? 0) + 1);
  const most = Math.max(...counts.values());
  // Of equal ones the greedy answer, or whichever was first.
  const winner = said.find((each) => counts.get(each) === most);
  assert(winner !== undefined, 'somebody has most votes');
  return { said: winner, cost: tokens / tokensOf(much) };
}

/** Only of questions about a text. */
async function critic({ item, much }: Both): Promise<{ said: string; cost: number } | null> {
  if (item.task !== 'qa' || item.document === null) return null;
  const content = `Facts: ${item.document} Claim: ${saidBy(much)} Supported? Quote the evidence.`;
  const opinion = await ask(large, [{ role: 'user', content }]);
  let tokens = tokensOf(much) + tokensOf(opinion);
  if (!/"supported": false/.test(opinion.text)) {
    return { said: saidBy(much), cost: tokens / tokensOf(much) };
  }
  const again = await ask(large, item.messages, sampleTemperature);
  tokens += tokensOf(again);
  return { said: saidBy(again), cost: tokens / tokensOf(much) };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of those questions that the pattern is for: right answers before and after, and the cost. */
async function patternFigures(
  name: string,
  apply: (each: Both) => Promise<{ said: string; cost: number } | null>,
): Promise<Figure[]> {
  const results: { before: boolean; after: boolean; cost: number }[] = [];
  for (const each of test) {
    const result = await apply(each);
    if (result === null) continue;
    const before = isRight(each.item, saidBy(each.much));
    results.push({ before, after: isRight(each.item, result.said), cost: result.cost });
  }
  const share = (right: (each: (typeof results)[number]) => boolean): number =>
    results.filter(right).length / results.length;
  const less = { higherIsBetter: false };
  return [
    figure(`${name}: questions`, 'questions', [results.length]),
    figure(`${name}: right, one question`, 'share', [share(({ before }) => before)]),
    figure(`${name}: right`, 'share', [share(({ after }) => after)]),
    figure(`${name}: cost`, 'x', [mean(results.map(({ cost }) => cost))], less),
  ];
}

const alone = { small: cascade(test, 0), large: cascade(test, 2) };
const chosen = cascade(test, below);
const less = { higherIsBetter: false };
const figures = [
  figure('large alone: right', 'share', [alone.large.right]),
  figure('small alone: right', 'share', [alone.small.right]),
  figure('small alone: cost', 'x', [alone.small.cost], less),
  figure('cascade: threshold', 'probability', [below]),
  figure('cascade: right, less large alone', 'share', [chosen.right - alone.large.right], {
    goal: -lossMax,
  }),
  figure('cascade: cost', 'x', [chosen.cost], { ...less, goal: 0.6 }),
  ...(await patternFigures('vote', vote)),
  ...(await patternFigures('critic', critic)),
];
await small.close();
await large.close();
report('patterns', figures, ['node-llama-cpp']);
