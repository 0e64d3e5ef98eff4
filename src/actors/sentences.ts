/**
 * A message as sentences, and which of them say something.
 *
 * Rules of everyday English, not a parser: where they are unsure they keep the
 * sentence, so that a fact is rather repeated than lost. Pure.
 */

/** A full stop after one of these does not end a sentence. */
const abbreviation = /(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|Nr|vs|approx|incl|e\.g|i\.e)|\b[A-Z])\.$/;

const salutation =
  /^(?:hello|hi|hey|dear|good (?:morning|afternoon|evening|day)|greetings|morning)(?:\s+(?:all|team|there|again|everyone|everybody|both|colleagues|sir or madam|[A-Z][\w'-]+)){0,4}\s*[,!.:]\s*/i;

const introduction =
  /^(?:(?:[Tt]his|[Ii]t) is (?:[A-Z][\w'-]+ ?)+|[Mm]y name is\b.*|I am (?:[A-Z][\w'-]+ ?)+|(?:[A-Z][\w'-]+ ){1,3}(?:here|speaking|writing)\b.*|(?:[Ww]riting|[Gg]reetings) (?:to you )?from\b.*)(?:\s*(?:from|at|in|of)\b.*)?[.!,]?$/;

const pleasantry =
  /\b(?:hope (?:you|this|all|that|everything|the)|sorry (?:to|for)|apologies|thank(?:s| you)|(?:busy|lovely|nice|quick) (?:week|month|day|time|note|question|chat|weekend)|weather|long time no see|how are you|(?:keep|make) (?:this|it) short|i (?:tried|called|rang|was not sure|could not find|did not know|know you)|you may have|as you (?:may|might|know)|it is probably|not sure (?:if|who|whether)|excuse (?:me|my)|forgive)\b/i;

const closing =
  /^(?:(?:many |kind |best |warm |with )*(?:thanks|thank you|regards|wishes|cheers|sincerely|yours|best|greetings)\b[^.?!]{0,40}|(?:see|talk|speak) (?:you|to you|soon)\b.*|(?:i|we) look forward\b.*|have a (?:nice|good|great)\b.*|please (?:let (?:me|us) know|reply|advise)\b.*)[.!]?$/i;

/** The sentences of a text in order, without surrounding space. A line break ends a sentence. */
export function sentencesOf(text: string): string[] {
  const found: string[] = [];
  for (const line of text.split(/\n+/)) {
    let pending = '';
    for (const piece of line.trim().split(/(?<=[.?!])\s+/)) {
      pending = pending === '' ? piece : `${pending} ${piece}`;
      if (abbreviation.test(pending)) continue;
      if (pending !== '') found.push(pending);
      pending = '';
    }
    if (pending !== '') found.push(pending);
  }
  return found;
}

/** The sentence without the greeting that it begins with. */
export function withoutSalutation(sentence: string): string {
  const rest = sentence.replace(salutation, '');
  return rest === '' ? rest : rest.slice(0, 1).toUpperCase() + rest.slice(1);
}

/** Words that announce a matter or ask for attention without saying what it is about. */
const announcing = new Set(
  `about above again also always another anything back because been before below between bring can case
  concern concerns could come couple did does everything favour few first following from further get give
  good had has have having hello help here how however idea info inquiry into issue issues item items its
  just know last let like list little look lot made make many matter matters may might more must need needs
  never new news next not note nothing now once one only other our over own please point points problem
  problems question questions quick raise reason regarding request requests same say second see several
  short should small some someone something still subject such tell than that the their them then there
  these they thing things third this those thought three time today together told too topic topics two
  until update urgent very want was way were what when where whether which while who why will with would
  write writing year you your and are but for any all ask asked asking five four six ten`.split(
    /\s+/,
  ),
);

/**
 * Whether a sentence can stand in a summary alone: three words or more, and one
 * that is not a mere announcement. "Two things." and "Screen black." cannot.
 */
export function isTelling(sentence: string): boolean {
  const words = sentence.toLowerCase().match(/[\p{L}\p{N}][\p{L}\p{N}'’-]*/gu) ?? [];
  return words.length >= 3 && words.some((word) => word.length >= 3 && !announcing.has(word));
}

/** Greetings, introductions, small talk and closings say nothing about the matter. */
export function isInformative(sentence: string): boolean {
  const rest = withoutSalutation(sentence).trim();
  if (rest === '' || rest.endsWith(',')) return false;
  if (!/\s/.test(rest)) return false;
  return !introduction.test(rest) && !pleasantry.test(rest) && !closing.test(rest);
}
