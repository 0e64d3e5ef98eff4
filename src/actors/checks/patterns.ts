/**
 * Dates and amounts of money as people write them in English mails. A pattern
 * is a second opinion beside the model, never the only one. Pure.
 */
const month =
  '(?:January|February|March|April|May|June|July|August|September|October|November|December|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\\.?)';
const weekday = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';
const day = '(?:0?[1-9]|[12]\\d|3[01])(?:st|nd|rd|th)?';
const dayAndMonth = `(?:${day} ${month}(?:,? \\d{4})?|${month} ${day}(?:,? \\d{4})?)`;
const numeric = '(?:\\d{4}-\\d{2}-\\d{2}|\\d{1,2}[./]\\d{1,2}[./]\\d{4})';
const date = new RegExp(
  `(?<![\\w.,/-])(?:${weekday},? ${dayAndMonth}|${dayAndMonth}|${numeric}|${weekday})(?![\\w/-]|[.,]\\d)`,
  'g',
);

const figure = '\\d{1,3}(?:,\\d{3})+(?:\\.\\d{1,2})?|\\d+(?:\\.\\d{1,2})?';
const currencyWord =
  '(?:euros?|dollars?|pounds?|francs?|yen|kronor|rupees?|cents?|EUR|USD|GBP|CHF|JPY|SEK|INR)';
const amount = new RegExp(
  `(?<![\\w.,])(?:[€$£¥] ?(?:${figure})|(?:${figure}) ?(?:€|${currencyWord}\\b)|(?:EUR|USD|GBP|CHF) (?:${figure}))(?![\\w]|[.,]\\d)`,
  'g',
);
const time = /(?<![\w.,:])(?:[01]?\d|2[0-3])(?::[0-5]\d)?(?: ?[ap]m)?(?![\w:])/g;

/** A word that makes a value look like a date. */
export const dateWord = new RegExp(
  `\\b(?:${month}|${weekday})(?![a-z])|\\d{4}-\\d{2}|\\d[./]\\d{1,2}[./]\\d`,
);
/** A sign or word that makes a value look like money. */
export const moneyWord = new RegExp(`[€$£¥]|\\b${currencyWord}\\b`);

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

export function datesIn(text: string): string[] {
  return unique(text.match(date) ?? []);
}

export function amountsIn(text: string): string[] {
  return unique(text.match(amount) ?? []);
}

export function timesIn(text: string): string[] {
  return unique((text.match(time) ?? []).filter((value) => /[:apm]/.test(value)));
}
