/**
 * Numbers, amounts, dates and times of a sentence in one spelling each, so that
 * two sentences can be compared. Everyday English and ISO dates; what it cannot
 * read it leaves out, and says nothing about. Pure.
 */

export type QuantityKind = 'amount' | 'date' | 'time' | 'count';

export interface Quantity {
  readonly kind: QuantityKind;
  /** What it is a number of, by the beginning of the word: a currency, `%`, or a noun; '' for dates and times. */
  readonly of: string;
  /** In one spelling, to compare. */
  readonly value: string;
  /** As it stands in the sentence. */
  readonly text: string;
}

const months =
  'january february march april may june july august september october november december';
const monthNumbers = new Map(
  months.split(' ').flatMap((name, index) => [
    [name, index + 1],
    [name.slice(0, 3), index + 1],
  ]),
);
const monthWord =
  '(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)';
const weekday = 'monday|tuesday|wednesday|thursday|friday|saturday|sunday';
const digits = '\\d+(?:,\\d{3})*(?:\\.\\d+)?';
const currencies: Readonly<Record<string, string>> = {
  '€': 'eur',
  eur: 'eur',
  euro: 'eur',
  euros: 'eur',
  $: 'usd',
  usd: 'usd',
  dollar: 'usd',
  dollars: 'usd',
  '£': 'gbp',
  gbp: 'gbp',
  pound: 'gbp',
  pounds: 'gbp',
};
const currencyWord = '€|\\$|£|eur|euros?|usd|dollars?|gbp|pounds?';

const numberWords = 'zero one two three four five six seven eight nine ten eleven twelve'.split(
  ' ',
);
const numberWord = numberWords.join('|');

/** Letters of a noun that tell it: chair, chairs. */
const nounLetters = 4;
/** Words behind a number that are no noun. */
const noNouns = /^(?:and|or|of|to|in|on|at|for|from|by|is|are|was|were|the|a|an|am|pm|with|per)$/;

interface Reader {
  readonly kind: QuantityKind;
  readonly pattern: RegExp;
  /** Null where the match is none after all. */
  read(match: RegExpExecArray): Pick<Quantity, 'of' | 'value'> | null;
}

function plain(number: string): string {
  return String(Number(number.replaceAll(',', '')));
}

function dateOf(day: string, month: string, year: string | undefined) {
  const number = monthNumbers.get(month.toLowerCase().slice(0, 3));
  if (number === undefined) return null;
  const monthDay = `${String(number).padStart(2, '0')}-${day.padStart(2, '0')}`;
  return { of: '', value: year === undefined ? monthDay : `${year}-${monthDay}` };
}

/** The first that matches somewhere has the characters; those after it do not see them. */
const readers: readonly Reader[] = [
  {
    kind: 'date',
    pattern: /\b(\d{4}-\d{2}-\d{2})\b/g,
    read: ([, date = '']) => ({ of: '', value: date }),
  },
  {
    kind: 'date',
    pattern: new RegExp(
      `\\b(\\d{1,2})(?:st|nd|rd|th)?(?: of)? (${monthWord})\\b\\.?(?:,? (\\d{4}))?`,
      'gi',
    ),
    read: ([, day = '', month = '', year]) => dateOf(day, month, year),
  },
  {
    kind: 'date',
    pattern: new RegExp(
      `\\b(${monthWord})\\.? (\\d{1,2})(?:st|nd|rd|th)?\\b(?:,? (\\d{4}))?`,
      'gi',
    ),
    read: ([, month = '', day = '', year]) => dateOf(day, month, year),
  },
  {
    kind: 'date',
    pattern: new RegExp(`\\b(${weekday})s?\\b`, 'gi'),
    read: ([, day = '']) => ({ of: 'weekday', value: day.toLowerCase() }),
  },
  {
    kind: 'time',
    pattern: /\b(\d{1,2})(?::(\d{2}))? ?(am|pm)\b/gi,
    read: ([, hour = '', minute = '00', half = '']) => {
      const hours = (Number(hour) % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
      return { of: '', value: `${String(hours).padStart(2, '0')}:${minute}` };
    },
  },
  {
    kind: 'time',
    pattern: /\b(\d{1,2}):(\d{2})\b/g,
    read: ([, hour = '', minute = '']) => ({ of: '', value: `${hour.padStart(2, '0')}:${minute}` }),
  },
  {
    kind: 'amount',
    pattern: new RegExp(
      `(€|\\$|£) ?(${digits})|(?<![\\w.,])(${digits}) ?(${currencyWord})(?!\\w)`,
      'gi',
    ),
    read: ([, sign, after, before, word]) => ({
      of: currencies[(sign ?? word ?? '').toLowerCase()] ?? '',
      value: plain(after ?? before ?? ''),
    }),
  },
  {
    kind: 'count',
    pattern: new RegExp(`(?<![\\w.,/-])(${digits}) ?(?:%|percent\\b|per cent\\b)`, 'gi'),
    read: ([, number = '']) => ({ of: '%', value: plain(number) }),
  },
  {
    kind: 'count',
    pattern: new RegExp(`(?<![\\w.,/-])(${digits}|\\b(?:${numberWord})\\b) ([\\p{L}]{3,})`, 'giu'),
    read: ([, number = '', noun = '']) => {
      const of = noun.toLowerCase().slice(0, nounLetters);
      if (noNouns.test(noun.toLowerCase())) return null;
      const word = numberWords.indexOf(number.toLowerCase());
      return { of, value: word === -1 ? plain(number) : String(word) };
    },
  },
];

/** In no particular order. A number with nothing that says of what is left out. */
export function quantitiesOf(sentence: string): Quantity[] {
  const found: Quantity[] = [];
  let rest = sentence;
  for (const { kind, pattern, read } of readers) {
    rest = rest.replace(pattern, (...match) => {
      const groups = match.slice(0, -2) as unknown as RegExpExecArray;
      const quantity = read(groups);
      const text = String(match[0]);
      if (quantity === null) return text;
      found.push({ kind, text: text.trim(), ...quantity });
      return ' '.repeat(text.length);
    });
  }
  return found;
}

/** Whether two quantities of one kind say the same; a date without a year fits any. */
export function sameQuantity(one: Quantity, other: Quantity): boolean {
  if (one.value === other.value) return true;
  if (one.kind !== 'date') return false;
  return one.value.endsWith(`-${other.value}`) || other.value.endsWith(`-${one.value}`);
}
