/**
 * Check of extracted names, places, dates and amounts against the message.
 *
 * Invariants
 *   X1. A value is confirmed only when it stands in the message whole, and what
 *       stands around it does not speak against its field.
 *   X2. A field is complete only when everything in the message that looks like
 *       such a value was extracted.
 *   X3. The four fields keep only what is confirmed and may be reported. What is
 *       not, or is missing, goes to `doubtful`, and flags the answer.
 */
import type { Json, JsonObject } from '../../kernel/json.ts';
import { bodyLines } from '../message-parts.ts';
import { type CapitalRun, capitalRuns } from './capitals.ts';
import type { Check } from './check.ts';
import { occursWhole, withoutStop } from './occurrence.ts';
import { amountsIn, datesIn, dateWord, moneyWord } from './patterns.ts';

const fieldNames = ['names', 'places', 'dates', 'amounts'] as const;
type FieldName = (typeof fieldNames)[number];

interface FieldVerdict {
  readonly values: readonly string[];
  readonly doubts: readonly string[];
}

const surelyPlace = new Set(['in', 'near', 'at', 'outside', 'around']);
const maybePlace = new Set(['from', 'via', 'between', 'through', 'our']);
/** After these both a person and a place may stand. */
const eitherOne = new Set([
  'from',
  'to',
  'of',
  'for',
  'and',
  'or',
  'between',
  'via',
  'neither',
  'nor',
  'both',
  'than',
  'about',
  'like',
]);
const determiners = new Set([
  'the',
  'a',
  'an',
  'our',
  'your',
  'my',
  'his',
  'her',
  'their',
  'this',
  'that',
  'new',
  'old',
]);
const personBefore = new Set([
  'is',
  'am',
  'by',
  'with',
  'dear',
  'hi',
  'hello',
  'mr',
  'mrs',
  'ms',
  'dr',
  'prof',
  'ask',
  'tell',
  'colleague',
  'thanks',
  'regards',
]);
const personAfter = new Set(
  'will has had is was said says asked asks paid told wrote writes knows know called promised signed sent and works can would needs wants here'.split(
    ' ',
  ),
);
/** Last word of names that are neither people nor towns. */
const organisation =
  /\b(?:Logistics|Hotel|Inn|Ltd|Limited|Inc|GmbH|AG|PLC|LLC|Group|Services?|Bank|Systems|Solutions|Partners|Consulting|Insurance|Airlines?|Airways|Street|Road|Lane|Avenue|Square|Project|Team|Office|Centre|Center|University|School|College|Station|Airport|Caf[eé]|Restaurant|House|Tower|Hall|Room|Building|Department|Ministry|Council|Museum|Theatre|Supplies|Foods|Media|Motors|Energy|Telecom|Software|Express|Cargo|Freight|Couriers?|Post)$/;

function listOf(output: JsonObject, field: FieldName): string[] {
  const value = output[field];
  if (!Array.isArray(value)) return [];
  return [
    ...new Set(value.flatMap((item) => (typeof item === 'string' ? [withoutStop(item)] : []))),
  ];
}

/** Values with a pattern: model and pattern have to agree on all of them (X2). */
function byPattern(
  given: readonly string[],
  found: readonly string[],
  known: { readonly looksLike: RegExp; readonly text: string },
): FieldVerdict {
  const missing = found.filter((value) => !given.includes(value));
  // A value that the message does not have is dropped: what it has is complete without it.
  const unknown = given.filter(
    (value) =>
      known.looksLike.test(value) &&
      occursWhole(known.text, value) &&
      !found.some((other) => other.includes(value)),
  );
  return {
    values: found.filter((value) => given.includes(value)),
    doubts: [
      ...missing.map((value) => `the message has ${value}, which was not extracted`),
      ...unknown.map((value) => `"${value}" may be one more`),
    ],
  };
}

/** The run that a value belongs to: a value that lacks a part of a name is widened to it. */
function runsOf(value: string, runs: readonly CapitalRun[]): CapitalRun[] {
  const words = ` ${value.replace(/^(?:Mr|Mrs|Ms|Dr|Prof)\.? /, '')} `;
  return runs.filter((run) => ` ${run.text} `.includes(words));
}

function isProduct(run: CapitalRun): boolean {
  return determiners.has(run.before) || /^\d/.test(run.after) || organisation.test(run.text);
}

/** Only people do these; much else is, has or will. */
const doneByPeople =
  /^(?:and|said|says|asks|asked|told|wrote|writes|knows|know|called|promised|signed|sent|thanks|paid|here|speaking|wants)?$/;

function beginsAsPerson(run: CapitalRun): boolean {
  return doneByPeople.test(run.after);
}

interface Claimed {
  readonly names: ReadonlySet<string>;
  readonly places: ReadonlySet<string>;
}

/** What speaks against the way in which one run was extracted, by field. */
function doubtsOfRun(run: CapitalRun, claimed: Claimed): Partial<Record<FieldName, string>> {
  const isName = claimed.names.has(run.text);
  const isPlace = claimed.places.has(run.text);
  if (isName && isPlace) {
    const reason = `${run.text} is given as a name and as a place`;
    return { names: reason, places: reason };
  }
  if (isName) {
    if (surelyPlace.has(run.before)) return { names: `${run.text} looks like a place` };
    const single = !run.text.includes(' ');
    if (single && eitherOne.has(run.before)) {
      const reason = `${run.text} may be a person or a place`;
      return { names: reason, places: reason };
    }
    // At the beginning of a sentence the capital proves nothing, so the next word has to.
    if (single && run.isFirst && !beginsAsPerson(run)) {
      return { names: `${run.text} may be an ordinary word` };
    }
    return isProduct(run) ? { names: `${run.text} may not be a person` } : {};
  }
  if (isPlace) {
    const possible = surelyPlace.has(run.before) || maybePlace.has(run.before);
    const reason = `${run.text} may not be a place`;
    return possible ? {} : { names: reason, places: reason };
  }
  const reason = `the message has ${run.text}, which was not extracted`;
  if (surelyPlace.has(run.before)) return { places: reason };
  if (isProduct(run)) return {};
  const person =
    run.text.includes(' ') || personBefore.has(run.before) || personAfter.has(run.after);
  return person && !eitherOne.has(run.before)
    ? { names: reason }
    : { names: reason, places: reason };
}

function namesAndPlaces(
  output: JsonObject,
  text: string,
): Record<'names' | 'places', FieldVerdict> {
  const runs = capitalRuns(text);
  const claimed = { names: new Set<string>(), places: new Set<string>() };
  const doubts: Record<'names' | 'places', Set<string>> = { names: new Set(), places: new Set() };
  for (const field of ['names', 'places'] as const) {
    for (const value of listOf(output, field)) {
      // A value that is no run of capitals is dropped: every run has to be accounted for below.
      for (const run of runsOf(value, runs)) claimed[field].add(run.text);
    }
  }
  const doubted = new Set<string>();
  for (const run of runs) {
    const found = doubtsOfRun(run, claimed);
    if (found.names !== undefined) doubts.names.add(found.names);
    if (found.places !== undefined) doubts.places.add(found.places);
    if (Object.keys(found).length > 0) doubted.add(run.text);
  }
  const confirmed = (set: ReadonlySet<string>) =>
    [...new Set(runs.map((run) => run.text))].filter((name) => set.has(name) && !doubted.has(name));
  return {
    names: { values: confirmed(claimed.names), doubts: [...doubts.names] },
    places: { values: confirmed(claimed.places), doubts: [...doubts.places] },
  };
}

/** Whether a sentence has anything that one of the fields could be about. */
export function mayHaveFields(sentence: string): boolean {
  return /\d/.test(sentence) || datesIn(sentence).length > 0 || capitalRuns(sentence).length > 0;
}

/** One sentence for each field or pair of fields; a doubt of two fields is said once. */
function reasonsOf(verdicts: Readonly<Record<FieldName, FieldVerdict>>): string[] {
  const every = new Set(fieldNames.flatMap((field) => [...verdicts[field].doubts]));
  const byFields = Map.groupBy(every, (doubt) =>
    fieldNames.filter((field) => verdicts[field].doubts.includes(doubt)).join(' and '),
  );
  return [...byFields].map(
    ([fields, doubts]) => `The ${fields} may not be complete: ${doubts.join('; ')}.`,
  );
}

/** Keeps what is confirmed of the four fields; the rest goes to `doubtful`. Asking again may help. */
export const fields: Check = ({ output, document, each }) => {
  if (typeof output !== 'object' || output === null || Array.isArray(output)) {
    return { output, reasons: ['The answer has no fields.'], retry: true };
  }
  // An agent that works through sentences is checked against its sentence.
  const text = typeof each === 'string' ? each : bodyLines(document);
  const verdicts: Record<FieldName, FieldVerdict> = {
    ...namesAndPlaces(output, text),
    dates: byPattern(listOf(output, 'dates'), datesIn(text), { looksLike: dateWord, text }),
    amounts: byPattern(listOf(output, 'amounts'), amountsIn(text), { looksLike: moneyWord, text }),
  };
  const confirmed: Record<string, Json> = {};
  const doubtful: JsonObject[] = [];
  for (const field of fieldNames) {
    const { values, doubts } = verdicts[field];
    confirmed[field] = [...values];
    if (doubts.length > 0) doubtful.push({ field, reason: doubts.join('; ') });
  }
  return { output: { ...confirmed, doubtful }, reasons: reasonsOf(verdicts), retry: true };
};
