/** Words by which a sentence asks for a calculation or for a file. Pure. */

export type Operation = 'add' | 'sub' | 'mul' | 'div';

const operationWords: readonly (readonly [Operation, RegExp])[] = [
  ['add', /\b(?:add|adding|plus|sum of|sum up|added to|add up|total of)\b|\d\s*\+\s*\d/i],
  [
    'sub',
    /\b(?:subtract|subtracting|minus|take away|deduct|difference between|less)\b|\d\s+-\s+\d/i,
  ],
  ['mul', /\b(?:multiply|multiplying|multiplied by|times|product of)\b|\d\s*[*x×]\s*\d/i],
  ['div', /\b(?:divide|dividing|divided by|split into)\b|\d\s*[/÷]\s*\d/i],
];

/** `subtract 3 from 10` names its second operand first. */
const reversed = /\b(?:subtract|take(?: away)?|deduct)\b.*\bfrom\b|\b\d[\d.,]*\s+away from\b/i;

const readingWords = /\b(?:open|read|show|look at|look into|look in|says?|in|check|see|consult)\b/i;
const fileName = /(?<![\w/@.-])[A-Za-z0-9][\w-]*(?:\/[\w-]+)*\.[a-z]{2,4}(?![\w@-])/g;
const plainNumber = /(?<![\w.,/-])\d+(?:[.,]\d+)*(?![\w/-])/g;

/** Numbers of a sentence, in order. A comma before three digits only groups them. */
function numbersOf(sentence: string): number[] {
  const found = sentence.match(plainNumber) ?? [];
  return found.map((text) => Number(text.replace(/,(?=\d{3}\b)/g, ''))).filter(Number.isFinite);
}

export function fileNamesOf(sentence: string): string[] {
  return sentence.match(fileName) ?? [];
}

/** The one operation that the words name, or null when there is none or more than one. */
export function operationOf(sentence: string): Operation | null {
  const named = operationWords.filter(([, words]) => words.test(sentence));
  const first = named[0];
  return named.length === 1 && first !== undefined ? first[0] : null;
}

/** The operands in the order of the calculation, or null unless there are exactly two. */
export function operandsOf(sentence: string): readonly [number, number] | null {
  const [first, second, third] = numbersOf(sentence);
  if (first === undefined || second === undefined || third !== undefined) return null;
  return reversed.test(sentence) ? [second, first] : [first, second];
}

export function asksForTool(sentence: string): boolean {
  if (fileNamesOf(sentence).length > 0 && readingWords.test(sentence)) return true;
  const calculates = operationWords.some(([, words]) => words.test(sentence));
  return calculates && numbersOf(sentence).length >= 2;
}
