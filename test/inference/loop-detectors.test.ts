/** Detectors of what goes on without getting on: near repetition and stall. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Detected, DetectorRun } from '../../src/inference/detector-run.ts';
import type { DetectorSettings, GeneratedToken } from '../../src/inference/model-port.ts';
import { nearRepetitionMeasure } from '../../src/inference/near-repetition-detector.ts';
import { stallMeasure } from '../../src/inference/stall-detector.ts';
import { peakOf } from '../../src/inference/token-measure.ts';
import { made, madeWords } from './made-tokens.ts';

function firstHalt(
  settings: Partial<DetectorSettings>,
  tokens: readonly GeneratedToken[],
  json = false,
): Detected | null {
  const run = new DetectorRun({ minConfidence: null, repetition: null, ...settings }, json);
  for (const each of tokens) {
    const detected = run.take(each);
    if (detected.halt !== null) return detected;
  }
  return null;
}

describe('near repetition detector', () => {
  const numbered = (count: number) =>
    madeWords(
      Array.from({ length: count }, (_, n) => `Item ${n + 1} of the order costs ${n * 7} euro. `)
        .join('')
        .concat('End'),
    );

  it('halts at the same sentence with other numbers', () => {
    const detected = firstHalt({ nearRepetition: 3 }, numbered(6));
    // A sentence of 8 words ends for sure with the first word after it, which is one token here.
    expect(detected?.halt).toMatchObject({ detector: 'near-repetition', atToken: 23 });
    expect(detected?.halt?.evidence).toBe(
      '3 of the last sentences are nearly the same as "Item 1 of the order costs 0 euro.".',
    );
    expect(detected?.goodTokens).toBe(8);
    expect(firstHalt({ repetition: 3 }, numbered(6))).toBeNull();
  });

  it('takes one sentence less, and sentences of other words', () => {
    expect(firstHalt({ nearRepetition: 3 }, numbered(2))).toBeNull();
    const text =
      'The parcel left the depot on Monday. Nobody was at home in the afternoon. It lies at the post office now. ';
    expect(firstHalt({ nearRepetition: 2 }, madeWords(`${text} `))).toBeNull();
  });

  it('sees the circle around a changed word, across others in between', () => {
    const text =
      'Anna paid the invoice of the old printer.\nThe weather is lovely today here.\nBoris paid the invoice of the old printer.\n';
    expect(firstHalt({ nearRepetition: 2 }, madeWords(text))).not.toBeNull();
  });

  it('passes over short sentences (Q1): a table of amounts is no circle', () => {
    const rows = Array.from({ length: 12 }, (_, n) => `| ${n} | ${n * n} |\n`).join('');
    expect(firstHalt({ nearRepetition: 2 }, madeWords(rows))).toBeNull();
  });

  it('does not end a sentence within a number', () => {
    const text = 'Paid 3.50 for one of them and 4.75 for one of them ';
    expect(peakOf(nearRepetitionMeasure, madeWords(text))).toBeNull();
  });
});

describe('stall detector', () => {
  const pieces = (text: string) => [...text].map((piece) => made(piece));

  it('halts at white space without end, and only under a schema (D2)', () => {
    const tokens = pieces(`{"a":${' '.repeat(40)}`);
    const detected = firstHalt({ stall: 16 }, tokens, true);
    // The key begins with its quotation mark, at token 1.
    expect(detected?.halt).toMatchObject({ detector: 'stall', atToken: 17 });
    expect(detected?.goodTokens).toBe(2);
    expect(firstHalt({ stall: 16 }, tokens)).toBeNull();
  });

  it('halts in a text that grows and in a list of numbers that never closes', () => {
    expect(firstHalt({ stall: 16 }, pieces(`{"a": "${'x'.repeat(40)}`), true)).not.toBeNull();
    expect(
      firstHalt({ stall: 16 }, pieces('{"a": [1, 2, 3, 4, 5, 6, 7, 8, 9'), true),
    ).not.toBeNull();
  });

  it('lets members and brackets pass as progress, a bracket within a text not (J1)', () => {
    const members = pieces('{"a": "xxxxx", "b": "xxxxx", "c": [{"d": 1}, {"d": 2}, {"d": 3}]}');
    expect(firstHalt({ stall: 16 }, members, true)).toBeNull();
    const within = pieces('{"a": "[{[{[{[{ \\", \\"b\\": [{[{"');
    expect(firstHalt({ stall: 16 }, within, true)).not.toBeNull();
    const quoted = pieces('{"a": "xx\\"xxx{xxx{xxx{xxx{');
    expect(firstHalt({ stall: 16 }, quoted, true)).not.toBeNull();
  });

  it('never counts more tokens than there are between two members of written JSON', () => {
    const text = fc.string({ unit: fc.constantFrom(...'[]{},:x'), maxLength: 6 });
    const value = fc.dictionary(fc.constantFrom('a', 'b', 'c'), text, { maxKeys: 3 });
    // From a key to the next: a":"xxxxxx", of one character each.
    const between = 12;
    fc.assert(
      fc.property(fc.array(value, { maxLength: 6 }), (list) => {
        const peak = peakOf(stallMeasure, pieces(JSON.stringify(list)));
        expect(peak?.value ?? 0).toBeLessThanOrEqual(between);
      }),
    );
  });
});

describe('detectors of loops', () => {
  it('say the same again after they were rewound (D1)', () => {
    const text = fc.constantFrom(
      '{"a": ',
      '[1, ',
      'we pay the bill ',
      'once. ',
      'again\n',
      '"',
      '}',
    );
    const settings = { minConfidence: null, repetition: null, nearRepetition: 2, stall: 4 };
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 60 }), fc.nat(), (texts, place) => {
        const tokens = texts.map((each) => made(each));
        const run = new DetectorRun(settings, true);
        const first = tokens.map((one) => run.take(one));
        const kept = place % tokens.length;
        run.rewind(kept);
        expect(tokens.slice(kept).map((one) => run.take(one))).toEqual(first.slice(kept));
      }),
    );
  });
});
