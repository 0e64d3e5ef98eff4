import { describe, expect, it } from 'vitest';
import { fields } from '../../../src/actors/checks/fields.ts';
import { isJsonObject, type JsonObject } from '../../../src/kernel/json.ts';
import { inputOf } from './check-input.ts';

function checked(
  sentence: string,
  output: JsonObject,
): { output: JsonObject; reasons: readonly string[] } {
  const whole = { names: [], places: [], dates: [], amounts: [], ...output };
  const result = fields(inputOf({ output: whole, each: sentence, document: 'Not this text.' }));
  return { output: isJsonObject(result.output) ? result.output : {}, reasons: result.reasons };
}

describe('fields', () => {
  it('confirms values that stand in the sentence and are all that it has', () => {
    const { output, reasons } = checked('Dr Vera Stone was in Graz on 3 May and paid €120.', {
      names: ['Vera Stone'],
      places: ['Graz'],
      dates: ['3 May'],
      amounts: ['€120'],
    });
    expect(reasons).toEqual([]);
    expect(output).toEqual({
      names: ['Vera Stone'],
      places: ['Graz'],
      dates: ['3 May'],
      amounts: ['€120'],
      doubtful: [],
    });
  });

  it('completes a name of which only a part was extracted', () => {
    expect(checked('A copy went to Vera Stone.', { names: ['Vera'] }).output.names).toEqual([
      'Vera Stone',
    ]);
  });

  it('drops what the sentence does not have, and keeps the rest', () => {
    const { output, reasons } = checked('A note from Vera Stone came on Friday.', {
      names: ['Vera Stone', 'Pavel Novy'],
      dates: ['Friday', '12 June'],
    });
    expect(reasons).toEqual([]);
    expect(output).toMatchObject({ names: ['Vera Stone'], dates: ['Friday'] });
  });

  it('doubts a field that lacks a value of the sentence', () => {
    const { output, reasons } = checked('The fee of €35 is due on 14 March or 2 April.', {
      dates: ['14 March'],
    });
    expect(output).toMatchObject({ dates: ['14 March'], amounts: [] });
    expect(reasons).toEqual([
      'The dates may not be complete: the message has 2 April, which was not extracted.',
      'The amounts may not be complete: the message has €35, which was not extracted.',
    ]);
  });

  it('says a doubt of names and places once', () => {
    const { output, reasons } = checked('A parcel for Lyon and Vera Stone is here.', {});
    expect(reasons).toEqual([
      'The names and places may not be complete: the message has Lyon, which was not extracted; the message has Vera Stone, which was not extracted.',
    ]);
    expect(output.doubtful).toHaveLength(2);
  });

  it('does not take a piece of an amount for the amount', () => {
    const { output, reasons } = checked('It costs €1701.13 now.', { amounts: ['€1701'] });
    expect(output.amounts).toEqual([]);
    expect(reasons).toHaveLength(1);
  });

  it('doubts a name that stands where places stand', () => {
    const { output, reasons } = checked('We met in Graz.', { names: ['Graz'] });
    expect(output.names).toEqual([]);
    expect(reasons).toEqual(['The names may not be complete: Graz looks like a place.']);
  });

  it('lets every member of a list stand where its first one stands', () => {
    const sentence = 'Our branches in Lyon, Nantes and Rennes are closed.';
    const places = ['Lyon', 'Nantes', 'Rennes'];
    expect(checked(sentence, { places })).toMatchObject({ output: { places }, reasons: [] });
    expect(
      checked(sentence, { names: ['Rennes'], places: ['Lyon', 'Nantes'] }).output.names,
    ).toEqual([]);
  });

  it.each([
    ['value given as both', 'Vera called.', { names: ['Vera'], places: ['Vera'] }],
    ['a lone word between person and place', 'A parcel for Lyon is here.', { names: ['Lyon'] }],
    ['a company', 'Yesterday Brandt Logistics called.', { names: ['Brandt Logistics'] }],
    ['a product', 'We use the Bluebird tariff.', { names: ['Bluebird'] }],
    ['a word that only begins its sentence', 'Rumours say so.', { names: ['Rumours'] }],
    ['the same after a salutation', 'Dear team, Rumours say so.', { names: ['Rumours'] }],
  ])('doubts %s', (_, sentence, output) => {
    const result = checked(sentence, output);
    expect(result.output.names).toEqual([]);
    expect(result.reasons.length).toBeGreaterThan(0);
  });

  it('reads the body of the message when it does not work through sentences', () => {
    const document = 'Vera Stone called.\n\nQuestion: When is Basil Crane back?\n';
    const output = { names: ['Vera Stone'], places: [], dates: [], amounts: [] };
    expect(fields(inputOf({ output, document })).reasons).toEqual([]);
  });

  it('refuses an answer that is no object', () => {
    expect(fields(inputOf({ output: 'none' })).reasons).toEqual(['The answer has no fields.']);
  });
});
