import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitText } from '../../src/runtime/split-text.ts';

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
    const word = fc.constantFrom('a', 'long-word', 'Ende.', 'Was?', '😀', '\n\n', '\r\n\r\n', '\n');
    const text = fc.array(word, { maxLength: 60 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 40 }), (whole, charactersMax) => {
        const parts = splitText(whole, charactersMax);
        expect(parts.join('').replace(/\s/g, '')).toBe(whole.replace(/\s/g, ''));
        expect(parts.every((part) => part.length <= charactersMax)).toBe(true);
        expect(parts.length === 1 || parts.every((part) => part.trim() !== '')).toBe(true);
      }),
    );
  });
});
