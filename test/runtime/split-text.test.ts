import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitText as partsOf } from '../../src/runtime/split-text.ts';

function splitText(text: string, charactersMax: number): string[] {
  return partsOf(text, charactersMax).map((part) => part.text);
}

describe('splitText', () => {
  it('leaves a text that fits as it is', () => {
    expect(splitText('  a\n\nb  ', 20)).toEqual(['  a\n\nb  ']);
  });

  it('cuts at paragraphs and packs them together as far as they fit', () => {
    expect(splitText('One one.\n\nTwo two.\n\nThree three.', 19)).toEqual([
      'One one.\n\nTwo two.',
      'Three three.',
    ]);
  });

  it('cuts before headings rather than between paragraphs, chapters before sections', () => {
    const text = '# One\n\na a\n\nb b\n\n## Two\nc c\n\n### Two a\n\nd d\n\n### Two b\ne e';
    expect(splitText(text, 40)).toEqual([
      '# One\n\na a\n\nb b',
      '## Two\nc c\n\n### Two a\n\nd d',
      '### Two b\ne e',
    ]);
    expect(splitText('Title\n=====\nx\n\nOther\n=====\ny', 16)).toEqual([
      'Title\n=====\nx',
      'Other\n=====\ny',
    ]);
  });

  it('cuts between pages', () => {
    expect(splitText('One.\n\nTwo.\fThree.', 12)).toEqual(['One.\n\nTwo.', 'Three.']);
  });

  it('keeps the lines of a list item together', () => {
    expect(splitText('- one. And\n  more.\n- two\n3) three. End.', 22)).toEqual([
      '- one. And\n  more.',
      '- two\n3) three. End.',
    ]);
  });

  it('tells where each part stands', () => {
    expect(partsOf('  One one.\n\nTwo\ntwo.', 9)).toEqual([
      { text: 'One one.', start: 2, end: 10, firstLine: 1, lastLine: 1 },
      { text: 'Two\ntwo.', start: 12, end: 20, firstLine: 3, lastLine: 4 },
    ]);
  });

  it('cuts a long paragraph at sentences', () => {
    expect(splitText('Is it? Yes, it is. "So be it." Good.', 20)).toEqual([
      'Is it? Yes, it is.',
      '"So be it." Good.',
    ]);
  });

  it('cuts a long sentence at words and a long word anywhere', () => {
    expect(splitText('alpha beta gamma', 11)).toEqual(['alpha beta', 'gamma']);
    expect(splitText('abcdefgh', 3)).toEqual(['abc', 'def', 'gh']);
  });

  it('never cuts a character in two', () => {
    expect(splitText('a😀😀😀', 2)).toEqual(['a', '😀', '😀', '😀']);
  });

  it('cuts at paragraphs of a text with carriage returns', () => {
    expect(splitText('One one.\r\n\r\nTwo two.', 10)).toEqual(['One one.', 'Two two.']);
  });

  it('makes one empty part of white space alone', () => {
    expect(splitText(' \n '.repeat(10), 5)).toEqual(['']);
  });

  it('loses nothing but white space and stays within the bound', () => {
    const word = fc.constantFrom(
      'a',
      '\n# ',
      '\n- ',
      '\f',
      '\n---\n',
      'long-word',
      'Ende.',
      'Was?',
      '😀',
      '\n\n',
      '\r\n\r\n',
      '\n',
    );
    const text = fc.array(word, { maxLength: 60 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 40 }), (whole, charactersMax) => {
        const parts = splitText(whole, charactersMax);
        for (const { text: part, start, end, firstLine, lastLine } of partsOf(
          whole,
          charactersMax,
        )) {
          expect(whole.slice(start, end)).toBe(part); // (S3)
          expect(whole.slice(0, start).split('\n')).toHaveLength(firstLine);
          expect(whole.slice(0, Math.max(start, end - 1)).split('\n')).toHaveLength(lastLine);
        }
        expect(parts.join('').replace(/\s/g, '')).toBe(whole.replace(/\s/g, ''));
        expect(parts.every((part) => part.length <= charactersMax)).toBe(true);
        expect(parts.length === 1 || parts.every((part) => part.trim() !== '')).toBe(true);
      }),
    );
  });
});
