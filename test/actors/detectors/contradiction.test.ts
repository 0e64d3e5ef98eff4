import { describe, expect, test } from 'vitest';
import { contradictions } from '../../../src/actors/detectors/contradiction.ts';
import { quantitiesOf } from '../../../src/actors/detectors/quantities.ts';
import { runKnowledge } from '../../../src/actors/detectors/run-knowledge.ts';
import type { Json } from '../../../src/kernel/json.ts';
import { result } from '../machines.ts';

const letter = `Dear team,
The rent of the Bonn office rises to 1,200 EUR from 3 May 2026.
Mr Keller will hand over the five keys on Friday at 10:30.
The lift is not working at the moment.
Around 45% of the desks are empty.`;

function evidence(answer: Json, document = letter): string[] {
  return contradictions(answer, runKnowledge(document, {})).map((each) => each.evidence);
}

describe('an answer against its document', () => {
  test.each([
    ['an amount', 'The rent of the office rises to 1,300 EUR.', '1,300 EUR'],
    ['a part of a number that is known', 'The rent of the office rises to 200 EUR.', '200 EUR'],
    ['a date', 'The rent of the Bonn office rises from 13 May 2026.', '13 May 2026'],
    ['a date in another spelling', 'The rent of the Bonn office rises from May 4.', 'May 4'],
    ['a weekday', 'Mr Keller will hand over the keys on Monday.', 'Monday'],
    ['a time', 'Mr Keller will hand over the keys at 11:30.', '11:30'],
    ['a count', 'Keller will hand over six keys.', 'six keys'],
    ['a share', 'Around 54% of the desks are empty.', '54%'],
    ['a name', 'On Friday Mr Hansen will hand over the keys.', 'Mr Hansen'],
  ])('is doubted for %s', (_, answer, said) => {
    const [found, ...more] = evidence(answer);
    expect(more).toEqual([]);
    expect(found).toContain(`The answer says "${said}"; the document says: `);
  });

  test('is doubted for a denial, and for the lack of one', () => {
    expect(evidence('The lift is working at the moment.')).toEqual([
      'The answer says "The lift is working at the moment."; the document says: The lift is not working at the moment.',
    ]);
    expect(evidence('The rent of the Bonn office never rises.')).toHaveLength(1);
  });

  test.each([
    'The rent of the Bonn office rises to 1200 euros from 2026-05-03.',
    'The rent rises to €1,200 on May 3rd.',
    'Mr Keller hands over 5 keys on Friday at 10:30 am.',
    'The lift does not work.',
    'Around 45 percent of the desks are empty.',
    // Nothing in the letter speaks of it.
    'The canteen has 12 tables and opens at 8 am.',
    // Other numbers, of something else.
    'The rent of the office pays for 20 rooms.',
    '',
  ])('is not doubted: %s', (answer) => {
    expect(evidence(answer)).toEqual([]);
  });

  test('what stands anywhere in the document is not contradicted', () => {
    const both = 'The first part costs 10 EUR.\nThe second part costs 20 EUR.';
    expect(evidence('The first part costs 20 EUR.', both)).toEqual([]);
    expect(evidence('The first part costs 30 EUR.', both)).toHaveLength(1);
  });

  test('every text of a structured answer is looked at', () => {
    expect(
      evidence({ claims: [{ text: 'Around 99% of the desks are empty.' }, 3, null], ok: true }),
    ).toHaveLength(1);
  });

  test('accepted results of earlier steps count as known, and no others', () => {
    const output = 'The invoice of Petersen amounts to 90 EUR.';
    const answer = 'The invoice of Petersen amounts to 80 EUR.';
    const known = (verdict: 'accepted' | 'flagged') =>
      contradictions(answer, runKnowledge('', { read: result({ verdict, output }) }));
    expect(known('accepted')).toEqual([
      {
        source: 'contradiction',
        evidence: `The answer says "80 EUR"; the step read says: ${output}`,
      },
    ]);
    expect(known('flagged')).toEqual([]);
  });
});

test('a number with nothing that says of what is no quantity', () => {
  expect(quantitiesOf('See 12, or page-7 of v2.0.')).toEqual([]);
  expect(quantitiesOf('12 and 13')).toEqual([]);
});
