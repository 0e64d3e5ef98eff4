/**
 * Supervision of the embedded model on questions held out of its training, whole
 * and damaged: sampling at temperature 1.2, facts of another document, a document
 * cut in half, a text four times over, which leads into circles. Detectors and
 * thresholds are chosen on one half of the questions; every figure is of the other
 * half, asked again with these detectors on. An answer counts as right when it is
 * the wanted one word for word. A question that is handed to a human is neither
 * answered right nor delivered wrong.
 *
 * AUROC: how often a wrong answer looks more doubtful than a right one; 0.5 is
 * chance. Arms: `human` hands a doubtful answer over at once, `again` asks again at
 * 0.4, then 0.7, `facts` asks over the sentences of the whole document that matter
 * (at 0.4 where there is no document), `rollback` takes the doubtful tokens back
 * and samples again, at most twice; `source` also doubts an answer that the detectors let pass
 * where the check `quotes` does not find it in the whole text, or says that there is no answer
 * though a sentence speaks of the question, in the tasks that copy, which the calibration half
 * tells, asks as `facts` does, and hands circles over at once; each hands over what is doubtful to the end. The usual
 * thresholds stop at most 3 % of the right answers of the calibration half, those of `limit` 5 %, which is
 * the goal, and those of `eager` 10 %.
 *
 * One generation at a time, deterministic: the figures are the same in each run.
 */
import { auroc } from '../src/inference/discrimination.ts';
import { signals } from '../src/inference/signals.ts';
import { benchOptions, type Figure, figure, report } from './harness.ts';
import { arms, supervised, unsupervised } from './supervision/arms.ts';
import { Asker } from './supervision/asker.ts';
import { calibrate, type LabelledAnswer, valuesOf } from './supervision/calibrate.ts';
import { conditions, type Item, readItems } from './supervision/items.ts';
import { copyingTasks } from './supervision/source-check.ts';
import { type Pair, tally, tallyFigures } from './supervision/tally.ts';

/** Of the right answers of the calibration half. The goal is 5 % of the test half; of some 240 answers the rest is chance. */
const falseMax = 0.03;
/** Of an arm that goes as far as the goal lets it. */
const limitFalseMax = 0.05;
/** Of an arm that gives most right answers back. */
const eagerFalseMax = 0.1;

const { quick } = benchOptions();
const asker = await Asker.open();
const items = readItems(quick ? 16 : 1);

async function answersOf(half: Item['half']) {
  const answers = [];
  for (const item of items.filter((each) => each.half === half)) {
    const { outcome, delivered } = await unsupervised(asker, item);
    const right = delivered.verdict === 'right';
    answers.push({ item, delivered, right, text: outcome.text, tokens: outcome.tokens });
  }
  return answers;
}

function areasOf(name: string, answers: readonly LabelledAnswer[]): Figure[] {
  return signals.flatMap((signal) => {
    const area = auroc(signal, valuesOf(signal, answers));
    return area === null ? [] : [figure(`AUROC, ${name}: ${signal.name}`, 'share', [area])];
  });
}

const figures: Figure[] = [];
const calibration = await answersOf('calibration');
const chosenDetectors = {
  usual: calibrate(calibration, falseMax),
  limit: calibrate(calibration, limitFalseMax),
  eager: calibrate(calibration, eagerFalseMax),
};
process.stdout.write(`detectors ${JSON.stringify(chosenDetectors)}\n`);
const copying = copyingTasks(calibration, falseMax);
process.stdout.write(`checked against their source: ${[...copying].join(', ')}\n`);
const test = await answersOf('test');
for (const name of ['all', ...conditions] as const) {
  const chosen = test.filter(({ item }) => name === 'all' || item.condition === name);
  const right = chosen.filter((each) => each.right).length;
  figures.push(figure(`right without supervision, ${name}`, 'share', [right / chosen.length]));
  figures.push(...areasOf(name, chosen));
}
for (const arm of arms) {
  const detectors = chosenDetectors[arm.thresholds ?? 'usual'];
  const pairs: (Pair & { readonly item: Item })[] = [];
  for (const { item, delivered } of test) {
    pairs.push({
      item,
      before: delivered,
      after: await supervised(asker, item, { arm, detectors, copying }),
    });
  }
  figures.push(
    ...tallyFigures(arm.name, tally(pairs), arm.thresholds === 'eager' ? 'lost' : 'all'),
  );
  for (const condition of conditions) {
    const found = tally(pairs.filter(({ item }) => item.condition === condition));
    process.stdout.write(`${arm.name}, ${condition}: ${JSON.stringify(found)}\n`);
    if (condition === 'plain') figures.push(...tallyFigures(`${arm.name}, plain`, found, 'none'));
  }
  process.stdout.write(`${arm.name}, all: ${JSON.stringify(tally(pairs))}\n`);
}
await asker.close();
report('supervision', figures, ['node-llama-cpp']);
