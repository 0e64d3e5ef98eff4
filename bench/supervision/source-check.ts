/**
 * The check of answers against their source: what an agent copies has to stand there word for
 * word. It is the product's check `quotes`, over the whole document, or the text of the question, before anything
 * was damaged, as the supervisor of a run has the document whatever the prompt has become.
 */
import { quotes } from '../../src/actors/checks/quotes.ts';
import type { Json } from '../../src/kernel/json.ts';
import type { Item } from './items.ts';

/** Says that there is nothing to copy. */
const nothing = ["I don't know."];

function answerValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text.replaceAll(/^- /gm, '');
  }
}

/** Whether everything that the answer says stands in the source, and it overlooks nothing there. */
export function standsInSource(text: string, { source, document, asked }: Source): boolean {
  const { reasons } = quotes({
    output: answerValue(text),
    document: document ?? source,
    steps: {},
    each: asked,
    confidence: null,
    parameters: { nothing, labels: ['FINAL', 'Reason'], citations: true, seek: true },
  });
  return reasons.length === 0;
}

type Source = Pick<Item, 'source' | 'document' | 'asked'>;

export interface CheckedAnswer {
  readonly item: Item;
  readonly right: boolean;
  readonly text: string;
}

/**
 * The tasks whose answers are copies, so that the check belongs to their agent: those where it
 * doubts at most so large a part of the right answers.
 */
export function copyingTasks(
  answers: readonly CheckedAnswer[],
  falseMax: number,
): ReadonlySet<string> {
  const right = Map.groupBy(
    answers.filter((answer) => answer.right),
    ({ item }) => item.task,
  );
  const copying = [...right].filter(([, all]) => {
    const doubted = all.filter(({ item, text }) => !standsInSource(text, item));
    return doubted.length <= all.length * falseMax;
  });
  return new Set(copying.map(([task]) => task));
}
