/**
 * The capitalised words of a message that may be names of people or places,
 * with what stands around them. Pure.
 *
 * In English a capital begins a sentence or a name. Words that commonly begin
 * sentences are known here; a word that is not stays a candidate, so that
 * doubt is on the safe side.
 */
import { sentencesOf, withoutSalutation } from '../sentences.ts';

/** Capitalised words that follow one another. */
export interface CapitalRun {
  readonly text: string;
  /**
   * The word before, in lower case, or '' at the beginning of a sentence or
   * after a comma. Names in a list share the word before the first of them.
   */
  readonly before: string;
  /** The word, number or mark after, in lower case, or ''. */
  readonly after: string;
  /** It begins its sentence, where any word has a capital. */
  readonly isFirst: boolean;
}

const ordinaryWords = new Set(
  `a about above according actually after again all almost already also although an and another any
  anybody anyone are as ask asking at attached back because before below besides best between both but
  by call can cheers colleague colleagues could customers dear did do does during each earlier either
  everybody everyone everything excuse few finally first five for four friendly from further good
  greetings half has have having he hello help her here hey hi his hope how however i if in instead is
  it its just kind kindly last late lately later let like long look looking luckily many maybe me mine
  more morning most mr mrs ms much my nearly neither never next no nobody none not nothing now of often
  on once one only or other otherwise our ours over perhaps please quick regards regarding reminder
  sadly same say second seven several she should since sincerely six so some somebody someone something
  sometimes soon sorry still such take team ten thank thanks that the their them then there therefore
  these they third this those three through to today together tomorrow tonight too twice two under
  unfortunately until up update urgent us very via was we well were what when where whether which while
  who whoever whole whom whose why will with within without would yesterday yet you your yours dr prof
  sir madam doctor professor apart apparently afternoon evening night day today's everything's yes okay
  ok ps note info fyi re fw fwd subject afterwards meanwhile honestly basically currently recently
  normally usually also staff nor than be been being get give given got make made need needs new old
  open close send sent show tell use want work works write writing read pay paid try tried check could've
  whenever wherever head please somewhere anyway besides despite during except following given
  having include including knowing once onto regarding seeing since sometimes though unless upon
  using waiting whereas yours i'm i've i'd i'll we're we've we'd we'll it's that's there's what's who's don't can't isn't won't`
    .split(/\s+/)
    .filter((word) => word !== ''),
);
const calendarWords =
  /^(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)$/;
const wordOrMark =
  /[\p{L}][\p{L}'’-]*(?:\.(?=[\p{Lu}\s])(?<=\b\p{Lu}\.))?|\d[\d.,:/-]*|[^\s\p{L}\d]/gu;

function isOrdinaryWord(word: string): boolean {
  return ordinaryWords.has(word.toLowerCase().replace('’', "'"));
}

function isNameWord(word: string): boolean {
  if (!/^\p{Lu}/u.test(word)) return false;
  // Abbreviations such as VPN or EUR are no names.
  if (/^\p{Lu}{2,}$/u.test(word)) return false;
  return !calendarWords.test(word) && !isOrdinaryWord(word);
}

function runsOfSentence(sentence: string): CapitalRun[] {
  const found = [...sentence.matchAll(wordOrMark)];
  const tokens = found.map((match) => match[0]);
  // After "Dear all," a sentence begins once more.
  const begin = sentence.length - withoutSalutation(sentence).length;
  const runs: CapitalRun[] = [];
  let lastEnd = 0;
  for (let index = 0; index < tokens.length; ) {
    let end = index;
    while (end < tokens.length && isNameWord(tokens[end] ?? '')) end += 1;
    if (end === index) {
      index += 1;
      continue;
    }
    const between = tokens.slice(lastEnd, index).join(' ').toLowerCase();
    const listed = runs.length > 0 && /^(?:,|,? ?(?:and|or|nor|&))$/.test(between);
    const before = (tokens[index - 1] ?? '').toLowerCase().replace(/[^\p{L}\d]/gu, '');
    runs.push({
      text: tokens
        .slice(index, end)
        .join(' ')
        .replace(/['’]s$/, ''),
      before: listed ? (runs.at(-1)?.before ?? '') : before,
      after: (tokens[end] ?? '').toLowerCase(),
      isFirst: index === 0 || found[index]?.index === begin,
    });
    index = end;
    lastEnd = end;
  }
  return runs;
}

/** Runs of a text, each once for each place where it stands. */
export function capitalRuns(text: string): CapitalRun[] {
  return sentencesOf(text).flatMap(runsOfSentence);
}
