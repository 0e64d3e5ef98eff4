import { describe, expect, it } from 'vitest';
import { collected } from '../../../src/actors/checks/collected.ts';
import { confidence } from '../../../src/actors/checks/confidence.ts';
import { copiedLines } from '../../../src/actors/checks/copied-lines.ts';
import { evidence } from '../../../src/actors/checks/evidence.ts';
import { checks } from '../../../src/actors/checks/index.ts';
import { labelEvidence } from '../../../src/actors/checks/label-evidence.ts';
import { occursWhole } from '../../../src/actors/checks/occurrence.ts';
import { parts } from '../../../src/actors/checks/parts.ts';
import { amountsIn, datesIn } from '../../../src/actors/checks/patterns.ts';
import { claimOf } from '../../../src/actors/checks/question.ts';
import type { Json } from '../../../src/kernel/json.ts';
import { inputOf } from './check-input.ts';

describe('every check', () => {
  it.each(Object.entries(checks))(
    '%s gives the same verdict twice and survives any answer',
    (_, check) => {
      for (const output of [null, '', 'x', 7, [], {}, { route: 1 }, { args: null }]) {
        const input = inputOf({ output, document: 'Vera called on 3 May.', each: 'Who called?' });
        expect(check(input)).toEqual(check(input));
      }
    },
  );
});

describe('confidence', () => {
  it('accepts at the threshold and doubts below it', () => {
    const at = (value: number | null) =>
      confidence(inputOf({ output: 'x', confidence: value, parameters: { min: 0.5 } }));
    expect(at(0.5).reasons).toEqual([]);
    expect(at(0.49)).toMatchObject({ retry: true });
    expect(at(0.49).reasons).toEqual(['The model is only 49 % certain; 50 % is asked for.']);
  });

  it('takes an unknown confidence for no confidence', () => {
    const { reasons, retry } = confidence(inputOf({ confidence: null }));
    expect(reasons).toHaveLength(1);
    expect(retry).toBe(false);
  });
});

describe('label-evidence', () => {
  const parameters = {
    vocabulary: { billing: ['invoice', 'late fee'], support: ['laptop', 'screen'] },
  };
  const label = (route: string, document: string, more: object = {}) =>
    labelEvidence(inputOf({ output: { route }, document, parameters: { ...parameters, ...more } }));

  it('accepts the label for which most words speak', () => {
    expect(label('billing', 'Two invoices have a late fee.').reasons).toEqual([]);
  });

  it.each([
    ['other words speak', 'support', 'The invoices are wrong.'],
    ['as many words speak for another', 'billing', 'The invoice is on the screen.'],
    ['no word speaks', 'billing', 'The weather station is down.'],
    ['the words are small talk', 'billing', 'I hope your laptop and invoice are fine.'],
  ])('doubts when %s', (_, route, document) => {
    expect(label(route, document).reasons).toHaveLength(1);
  });

  it('lets a certain model stand alone only where the pipeline says so', () => {
    const document = 'The weather station is down.';
    expect(label('support', document, { alone: 0.9 }).reasons).toEqual([]);
    expect(label('support', document, { alone: 0.95 }).reasons).toHaveLength(1);
  });
});

describe('parts', () => {
  it('takes the message apart and keeps the answer', () => {
    const document =
      'Hello team,\n\nthe lift is stuck since Friday. Please add 2 and 3.\n\nVera Stone\n\nQuestion: Who wrote?\n';
    expect(parts(inputOf({ output: { route: 'hr' }, document }))).toEqual({
      output: {
        route: 'hr',
        body: 'Hello team, the lift is stuck since Friday. Please add 2 and 3. Vera Stone',
        topic: 'The lift is stuck since Friday.',
        questions: ['Who wrote?'],
        requests: ['Please add 2 and 3'],
        sentences: ['the lift is stuck since Friday.', 'Please add 2 and 3.', 'Vera Stone'],
      },
      reasons: [],
    });
  });
});

describe('parts of a message with a closing', () => {
  const sentencesBelow = (end: string) => {
    const document = `Hi,\n\nthe lift is stuck since Friday.\n\n${end}\n\nQuestion: Who wrote?\n`;
    const { output } = parts(inputOf({ output: {}, document }));
    return (output as { sentences: string[] }).sentences.slice(1);
  };

  it.each([
    ['a short line above the signature is no name', 'Ta\nPercy', ['Percy']],
    [
      'a closing of several words',
      'All the Best\nPercy Vance\nUtrecht',
      ['Percy Vance', 'Utrecht'],
    ],
    ['a signature alone is kept', 'Percy', ['Percy']],
    ['a first and a last name are kept', 'Percy Vance\nUtrecht', ['Percy Vance', 'Utrecht']],
    ['a sentence is no closing', 'Percy called.\nVera', ['Percy called.', 'Vera']],
  ])('%s', (_, end, sentences) => {
    expect(sentencesBelow(end)).toEqual(sentences);
  });
});

describe('evidence', () => {
  const document = 'The keys are with Vera Stone. The keys are old. The audit starts on 3 May.';
  const each = { question: 'Who has the keys?', answer: 'Vera Stone', claim: 'x' };
  const criticised = (quote: string, supported = true) =>
    evidence(inputOf({ output: { evidence: quote, supported }, document, each }));

  it('accepts a quote that has the answer, and repairs it', () => {
    const { output, reasons } = criticised('The keys are with Vera Stove.');
    expect(reasons).toEqual([]);
    expect(output).toMatchObject({
      evidence: 'The keys are with Vera Stone.',
      answer: 'Vera Stone',
    });
  });

  it.each([
    ['an invented quote', 'Nobody knows anything at all.', true],
    ['a quote about it without the answer', 'The keys are old.', true],
    ['a quote about something else', 'The audit starts on 3 May.', true],
    ['a verdict against it', 'The keys are with Vera Stone.', false],
  ])('doubts on %s', (_, quote, supported) => {
    expect(criticised(quote, supported).reasons).toHaveLength(1);
  });

  it('doubts a quote that has nothing to do with the question', () => {
    const asked = { ...each, question: 'Who ordered lunch?' };
    const output = { evidence: 'The keys are with Vera Stone.', supported: true };
    expect(evidence(inputOf({ output, document, each: asked })).reasons).toHaveLength(1);
  });
});

describe('copied-lines', () => {
  const each = { steps: { triage: { output: { topic: 'The lift is stuck.' } } } };

  it('keeps copies once and leaves inventions out', () => {
    const output = '- The lift is stuck.\n- The lift is stuck\n- The lift is fast.';
    expect(copiedLines(inputOf({ output, each }))).toMatchObject({
      output: ['The lift is stuck.'],
      reasons: ['1 of 3 bullets are no copies of a note and were left out.'],
    });
    expect(copiedLines(inputOf({ output: '- The lift is stuck.', each })).reasons).toEqual([]);
  });
});

describe('collected', () => {
  const steps = {
    extract: {
      output: [{ names: ['Vera', 'Basil'] }, null, { names: ['Vera'] }, {}],
      reasons: ['a', 'b', 'a'],
    },
    plan: { output: [{ tool: 'calc', args: { a: 1, b: 2 } }] },
  };
  const lists = (parameters: { [name: string]: string }, answer: Json = null) =>
    collected(inputOf({ output: answer, each: { steps }, parameters }));

  it('lists what all elements of a step have, each value once', () => {
    const parameters = { names: 'steps.extract.output.names', doubts: 'steps.extract.reasons' };
    expect(lists(parameters, ['x'])).toEqual({
      output: { answer: ['x'], names: ['Vera', 'Basil'], doubts: ['a', 'b'] },
      reasons: [],
    });
  });

  it('takes two objects with the same members for one', () => {
    const output = [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ];
    const { output: found } = collected(
      inputOf({ each: { output }, parameters: { calls: 'output' } }),
    );
    expect(found).toEqual({ answer: null, calls: [{ a: 1, b: 2 }] });
  });

  it('gives an empty list for what is not there', () => {
    expect(lists({ a: 'steps.none.output', b: 'steps.extract.constructor' }).output).toEqual({
      answer: null,
      a: [],
      b: [],
    });
  });
});

describe('values in text', () => {
  it.each([
    ['€1701.13 is due', '€1701', false],
    ['€1701. Then', '€1701', true],
    ['Anna called', 'Ann', false],
    ['on 12 May 2027', '2 May', false],
    ['see A-5521.', 'A-5521', true],
  ])('in "%s" it finds "%s" whole: %s', (text, value, found) => {
    expect(occursWhole(text, value)).toBe(found);
  });

  it('finds dates as people write them, and no other figures', () => {
    const text =
      'On Tuesday, 3 May 2027 or June 4, by 2027-01-31, 7 Aug. at 15.30, room 12, 3.5 %.';
    expect(datesIn(text)).toEqual(['Tuesday, 3 May 2027', 'June 4', '2027-01-31', '7 Aug.']);
  });

  it('finds amounts of money, and no other figures', () => {
    const text = 'Pay €1,250.50 or 300 EUR, not £ 20 each; 12 euros, 40 chairs, $5.';
    expect(amountsIn(text)).toEqual(['€1,250.50', '300 EUR', '£ 20', '12 euros', '$5']);
  });
});

describe('claimOf', () => {
  it.each([
    ['Who has the keys?', 'Vera', 'Vera has the keys.'],
    ['Who is the manager of Basil?', 'Vera', 'The manager of Basil is Vera.'],
    ['Where does Vera work?', 'Graz', 'Vera work in Graz.'],
    ['What is the total?', '€5', 'The total is €5.'],
    ['How much did Vera pay?', '€5', 'Vera pay €5.'],
    ['Why?', 'rain', 'Why? rain.'],
  ])('of "%s" and "%s" is "%s"', (question, answer, claim) => {
    expect(claimOf(question, answer)).toBe(claim);
  });
});
