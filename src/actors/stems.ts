/** What two texts have in common, by the beginnings of their words. Pure. */

/** Words of a prompt that speak of the task, not of the document, and words that are everywhere. */
const idleWords = new Set(
  `about after again also among another anything asked before between could does done each
  evidence every extract facts from have give given here into just like message names only
  other over please quote request route should supported than that their them then there these they this
  those under until very want were what when where which while whom whose will with would your`.split(
    /\s+/,
  ),
);
/** Words that agree in this many letters count as the same one: start, starts, started. */
const stemLetters = 4;

/** The words of a text that say something, each by its beginning; numbers whole. */
export function stems(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\d]+/gu) ?? [];
  return new Set(
    words
      .filter((word) => (word.length >= stemLetters || /\d/.test(word)) && !idleWords.has(word))
      .map((word) => (/\d/.test(word) ? word : word.slice(0, stemLetters))),
  );
}
