import { describe, expect, it } from 'vitest';
import { toolRequest } from '../../../src/actors/checks/tool-request.ts';
import type { JsonObject } from '../../../src/kernel/json.ts';
import { inputOf } from './check-input.ts';

function doubts(request: string, output: JsonObject): readonly string[] {
  return toolRequest(inputOf({ each: request, output })).reasons;
}

function calc(op: string, a: number, b: number): JsonObject {
  return { tool: 'calc', args: { op, a, b } };
}

describe('tool-request', () => {
  it.each([
    ['Please add 310 and 95', calc('add', 310, 95)],
    ['Please add 310 and 95', calc('add', 95, 310)],
    ['What is 1,200 minus 17?', calc('sub', 1200, 17)],
    ['Please subtract 17 from 52', calc('sub', 52, 17)],
    ['How much is 24 times 18?', calc('mul', 24, 18)],
    ['Please divide 12.5 by 5', calc('div', 12.5, 5)],
    ['Could you check rooms.txt for me?', { tool: 'read_file', args: { path: 'rooms.txt' } }],
  ])('accepts what "%s" asks for', (request, output) => {
    expect(doubts(request, output)).toEqual([]);
  });

  it.each([
    ['another operation', 'Please add 310 and 95', calc('sub', 310, 95)],
    ['another number', 'Please add 310 and 95', calc('add', 310, 96)],
    ['operands the wrong way round', 'Please subtract 17 from 52', calc('sub', 17, 52)],
    ['a third number', 'Please add 1, 2 and 3', calc('add', 1, 2)],
    ['two operations', 'Please add 2 and 3 or multiply them', calc('add', 2, 3)],
    ['division by zero', 'Please divide 4 by 0', calc('div', 4, 0)],
    ['another file', 'Open prices.csv', { tool: 'read_file', args: { path: '../prices.csv' } }],
    ['two files', 'Open a.csv and b.csv', { tool: 'read_file', args: { path: 'a.csv' } }],
    [
      'a file instead of a sum',
      'Please add 2 and 3',
      { tool: 'read_file', args: { path: 'a.csv' } },
    ],
    ['an unknown tool', 'Please add 2 and 3', { tool: 'pay', args: {} }],
  ])('doubts %s', (_, request, output) => {
    expect(doubts(request, output)).toHaveLength(1);
  });

  it('keeps the request beside the call', () => {
    const { output } = toolRequest(inputOf({ each: 'Open a.csv', output: calc('add', 1, 2) }));
    expect(output).toMatchObject({ request: 'Open a.csv', tool: 'calc' });
  });
});
