import { describe, expect, test } from 'vitest';
import { quotes } from '../../../src/actors/checks/quotes.ts';
import type { Json } from '../../../src/kernel/json.ts';
import { inputOf } from './check-input.ts';

const document =
  '# Letters\n\nI hope you are well. The rent\ngoes up on 3 May. Rent is due.\n\nThanks.';

function quoted(output: Json, parameters = {}) {
  return quotes(inputOf({ output, document, parameters }));
}

function rangesIn(output: Json): string[] {
  return (output as { range: { start: number; end: number } }[]).map(({ range }) =>
    document.slice(range.start, range.end),
  );
}

describe('quotes', () => {
  test('finds each line in the document and tells where (Q1)', () => {
    const { output, reasons } = quoted('- I hope you are well.\n- The rent goes up on 3 May.');
    expect(reasons).toEqual([]);
    expect(output).toEqual([
      {
        text: 'I hope you are well.',
        range: { start: 11, end: 31, firstLine: 3, lastLine: 3 },
      },
      {
        text: 'The rent goes up on 3 May.',
        range: { start: 32, end: 58, firstLine: 3, lastLine: 4 },
      },
    ]);
    expect(rangesIn(output)).toEqual(['I hope you are well.', 'The rent\ngoes up on 3 May.']);
  });

  test('leaves out what does not stand there, or only as a piece of a word, and doubts', () => {
    expect(quoted(['13 May', 'ent', '3 May'])).toMatchObject({
      output: [{ text: '3 May.' }],
      reasons: ['2 of 3 quotes do not stand in the document and were left out.'],
      retry: true,
    });
  });

  test('lets a piece stand for its sentence, once (Q2)', () => {
    const { output } = quoted(
      { dates: ['3 May'], words: ['goes up', 'Rent is'] },
      { whole: 'sentence' },
    );
    expect(rangesIn(output)).toEqual(['The rent\ngoes up on 3 May.', 'Rent is due.']);
  });

  test('leaves known labels and citations aside, and no others', () => {
    const parameters = { labels: ['FINAL', 'Reason'], citations: true };
    expect(quoted('FINAL: Rent is due.\nReason: Rent is due. [12]', parameters)).toMatchObject({
      output: [{ text: 'Rent is due.' }],
      reasons: [],
    });
    expect(quoted('Note: Rent is due.', parameters).reasons).toHaveLength(1);
    expect(quoted('Rent is due. [1]').reasons).toHaveLength(1);
    expect(quoted('Rent is due. [a]', parameters).reasons).toHaveLength(1);
  });

  test('may doubt that there is nothing, where a sentence speaks of the question', () => {
    const check = (question: string, seek: boolean) =>
      quotes({
        output: "I don't know.",
        document: 'The rent of the shop goes up in July. The lift is repaired.',
        steps: {},
        each: question,
        confidence: null,
        parameters: { nothing: ["I don't know."], seek },
      }).reasons;
    const sentence = 'The rent of the shop goes up in July.';
    expect(check('When does the rent of the shop rise?', true)).toEqual([
      `Nothing was found, though the document says: ${sentence}`,
    ]);
    expect(check('When does the rent of the shop rise?', false)).toEqual([]);
    expect(check('Who painted the garden fence?', true)).toEqual([]);
  });

  test('leaves small talk, headings and what means nothing out without a doubt', () => {
    const parameters = { informative: true, nothing: ["I don't know."] };
    expect(
      quoted("# Letters\nI hope you are well.\nI don't know.\nRent is due.", parameters),
    ).toMatchObject({ output: [{ text: 'Rent is due.' }], reasons: [] });
    expect(quoted('', parameters)).toEqual({ output: [], reasons: [], retry: true });
  });
});
