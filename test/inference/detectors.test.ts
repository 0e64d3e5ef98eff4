import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DetectorRun } from '../../src/inference/detector-run.ts';
import type { DetectorHalt, GeneratedToken } from '../../src/inference/model-port.ts';

function token(text: string, confidence: number | null = 1, forced = false): GeneratedToken {
  return { text, confidence, forced, entropy: null, margin: null };
}

function firstHalt(
  settings: { minConfidence?: number; repetition?: number },
  tokens: readonly GeneratedToken[],
): DetectorHalt | null {
  const run = new DetectorRun({
    minConfidence: settings.minConfidence ?? null,
    repetition: settings.repetition ?? null,
  });
  for (const each of tokens) {
    const { halt } = run.take(each);
    if (halt !== null) return halt;
  }
  return null;
}

const words = (text: string) => text.split(/(?<= )/).map((word) => token(word));

describe('confidence detector', () => {
  it('halts at the first free token below the threshold', () => {
    const tokens = [token('a', 0.9), token('b', 0.49), token('c', 0.1)];
    const halt = firstHalt({ minConfidence: 0.5 }, tokens);
    expect(halt).toMatchObject({ detector: 'confidence', atToken: 1 });
    expect(halt?.evidence).toBe(
      'The model was only 49 % certain of "b" (token 2); 50 % is asked for.',
    );
  });

  it.each([
    ['', 0.29, 'only 29 % certain of the end of the answer'],
    ['":', 0.2999, 'only 29 % certain of a space or mark'],
    [' Ann\n', 0.004, 'less than 1 % certain of "Ann"'],
  ])('says of %j at %d: %s', (text, confidence, said) => {
    const halt = firstHalt({ minConfidence: 0.305 }, [token(text, confidence)]);
    expect(halt?.evidence).toBe(`The model was ${said} (token 1); 30.5 % is asked for.`);
  });

  it('accepts a token exactly at the threshold', () => {
    expect(firstHalt({ minConfidence: 0.5 }, [token('a', 0.5)])).toBeNull();
  });

  it('ignores forced tokens and tokens without a confidence', () => {
    const tokens = [token('a', 0.1, true), token('b', null)];
    expect(firstHalt({ minConfidence: 0.5 }, tokens)).toBeNull();
  });

  it('halts exactly when some free token lies below the threshold', () => {
    const anyToken = fc.record({
      text: fc.string(),
      confidence: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      forced: fc.boolean(),
      entropy: fc.constant(null),
      margin: fc.constant(null),
    });
    fc.assert(
      fc.property(
        fc.array(anyToken),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (tokens, least) => {
          const expected = tokens.findIndex(
            ({ forced, confidence }) => !forced && confidence !== null && confidence < least,
          );
          expect(firstHalt({ minConfidence: least }, tokens)?.atToken ?? -1).toBe(expected);
        },
      ),
    );
  });
});

describe('repetition detector', () => {
  it('halts when one word stands as often in a row as the limit', () => {
    const halt = firstHalt({ repetition: 3 }, words('we said no no no more'));
    expect(halt).toMatchObject({ detector: 'repetition', atToken: 4 });
    expect(halt?.evidence).toBe('The text "no " stands 3 times in a row.');
  });

  it('lets one repetition less pass', () => {
    expect(firstHalt({ repetition: 3 }, words('we said no no more no no more '))).toBeNull();
  });

  it('sees a sequence of sixteen tokens but not of seventeen', () => {
    const circle = (length: number) =>
      Array.from({ length: length * 3 }, (_, index) => token(`w${index % length} `));
    expect(firstHalt({ repetition: 3 }, circle(16))).toMatchObject({ atToken: 47 });
    expect(firstHalt({ repetition: 3 }, circle(17))).toBeNull();
  });

  it('does not take the zeros of an amount for a circle, but an endless row of them', () => {
    const zeros = (count: number) => Array.from({ length: count }, () => token('0'));
    expect(firstHalt({ repetition: 3 }, [token('€1'), ...zeros(9)])).toBeNull();
    expect(firstHalt({ repetition: 3 }, zeros(60))).toMatchObject({ atToken: 23 });
  });

  it('does not take the pieces of characters for a circle', () => {
    const characters = ['', '', '中', '', '', '国', '', '', '人'].map((text) => token(text));
    expect(firstHalt({ repetition: 2 }, characters)).toBeNull();
  });

  it('halts exactly where a search over the whole text finds a repetition', () => {
    const letters = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 80 });
    fc.assert(
      fc.property(letters, fc.integer({ min: 2, max: 5 }), (texts, times) => {
        const halt = firstHalt(
          { repetition: times },
          texts.map((text) => token(text)),
        );
        expect(halt?.atToken ?? -1).toBe(firstRepetition(texts, times));
      }),
    );
  });
});

/** The obvious search: at each end, each length, compare all copies. */
function firstRepetition(texts: readonly string[], times: number): number {
  for (let end = 1; end <= texts.length; end += 1) {
    for (let length = 1; length <= 16 && length * times <= end; length += 1) {
      const copies = Array.from({ length: times }, (_, copy) =>
        texts.slice(end - length * (copy + 1), end - length * copy).join(' '),
      );
      if (copies.every((copy) => copy === copies[0])) return end - 1;
    }
  }
  return -1;
}

describe('both detectors', () => {
  it('report the confidence first when both fire at one token', () => {
    const tokens = [token('a '), token('a '), token('a ', 0.1)];
    const halt = firstHalt({ minConfidence: 0.5, repetition: 3 }, tokens);
    expect(halt?.detector).toBe('confidence');
  });

  it('are silent when they are switched off', () => {
    expect(firstHalt({}, words('no no no no no no no no'))).toBeNull();
  });
});

describe('detectors of a generation', () => {
  it('say the same again after they were rewound (D1)', () => {
    const text = fc.constantFrom('a', 'b', ' a', '');
    const each = fc.record({ text, confidence: fc.double({ min: 0.2, max: 1, noNaN: true }) });
    const many = fc.array(each, { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(many, fc.nat(), (made, place) => {
        const tokens = made.map(({ text, confidence }) => token(text, confidence));
        const run = new DetectorRun({ minConfidence: 0.3, repetition: 3 });
        const first = tokens.map((one) => run.take(one));
        const kept = place % tokens.length;
        run.rewind(kept);
        expect(tokens.slice(kept).map((one) => run.take(one))).toEqual(first.slice(kept));
      }),
    );
  });
});
