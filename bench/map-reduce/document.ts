/**
 * A long document with planted facts: chapters and sections of small talk in
 * which now and then one sentence says something. Made from a seed, so that
 * everybody measures the same one.
 */

export interface PlantedDocument {
  readonly text: string;
  /** The sentences that say something, in their order. */
  readonly facts: readonly string[];
}

/** A page as printers count it. */
const pageCharacters = 1_800;
const sentencesPerParagraph = 4;
const paragraphsPerSection = 1;
const sectionsPerChapter = 20;

const smallTalk = [
  'I hope you are well.',
  'Thanks for your help last time.',
  'I am writing from my phone.',
  'Sorry to bother you.',
  'Please let me know.',
  'Long time no see.',
  'Thank you for your patience.',
  'I hope this finds you well.',
  'Have a nice day.',
  'Excuse my typing.',
  'Thanks again for everything.',
  'How are you?',
  'I hope you had a nice weekend.',
  'Sorry for the late reply.',
  'Thank you for the quick note.',
] as const;
const events = [
  'The annual inspection is moved to DATE.',
  'Priya Osei will arrive on DATE.',
  'The deadline for the first manual is DATE.',
  'The parcel for Marco was shipped on DATE.',
  'Neema signed the offer on DATE.',
  'The rent in Graz goes up on DATE.',
  'The website of the shop opens on DATE.',
  'Ewa Brandt is on leave from DATE.',
  'The old printer was repaired on DATE.',
  'The training course in Leeds begins on DATE.',
  'The invoice of Hotel Lumen is due on DATE.',
  'Kofi Mensah left the marketing team on DATE.',
] as const;
const months = ['January', 'March', 'May', 'July', 'September', 'November'] as const;

/** A generator of numbers below a bound (mulberry32). */
function numbersOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Each another one, as long as there are no more than events in all months. */
function factOf(index: number, number: (below: number) => number): string {
  const month = months[Math.floor(index / events.length + number(months.length)) % months.length];
  const event = events[index % events.length] as string;
  return event.replace('DATE', `${number(28) + 1} ${month}`);
}

/** @param facts Sentences that are planted, spread over the document evenly. */
export function plantedDocument(pages: number, facts: number, seed: number): PlantedDocument {
  const number = numbersOf(seed);
  const planted = Array.from({ length: facts }, (_, index) => factOf(index, number));
  const lengthMin = pages * pageCharacters;
  const waiting = planted.map((text, index) => ({
    text,
    at: Math.floor(((index + number(1_000) / 1_000) * lengthMin) / facts),
  }));
  let text = '';
  let section = 0;
  while (text.length < lengthMin) {
    if (section % sectionsPerChapter === 0)
      text += `# Chapter ${section / sectionsPerChapter + 1}\n\n`;
    text += `## Letters, section ${section + 1}\n\n`;
    for (let paragraph = 0; paragraph < paragraphsPerSection; paragraph += 1) {
      const sentences = Array.from(
        { length: sentencesPerParagraph },
        () => smallTalk[number(smallTalk.length)] as string,
      );
      const isDue = (waiting[0]?.at ?? Number.POSITIVE_INFINITY) <= text.length;
      if (isDue) sentences[number(sentences.length)] = waiting.shift()?.text ?? '';
      text += `${sentences.join(' ')}\n\n`;
    }
    section += 1;
  }
  // What fell behind the end stands there.
  text += waiting.map((fact) => `${fact.text}\n\n`).join('');
  return { text, facts: planted };
}
