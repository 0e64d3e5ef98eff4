import { expect, test } from 'vitest';
import type { IntentionOutcome } from '../../src/actuators/intention-request.ts';
import { RememberedOutcomes } from '../../src/actuators/remembered-outcomes.ts';
import type { IntentionKey } from '../../src/kernel/ids.ts';

const key = (name: string) => name as IntentionKey;
const outcome = (value: string): IntentionOutcome => ({ key: 'k', status: 'completed', value });

test('forgets what was not asked for longest when there are too many', () => {
  const remembered = new RememberedOutcomes({ countMax: 2, bytesMax: 10_000 });
  remembered.set(key('a'), '1', outcome('A'));
  remembered.set(key('b'), '1', outcome('B'));
  expect(remembered.get(key('a'))?.outcome).toEqual(outcome('A'));
  remembered.set(key('c'), '1', outcome('C'));
  expect(remembered.get(key('b'))).toBeUndefined();
  expect(remembered.get(key('a'))).toBeDefined();
});

test('forgets the oldest when they are too large together', () => {
  const remembered = new RememberedOutcomes({ countMax: 100, bytesMax: 1_000 });
  for (const name of ['a', 'b', 'c', 'd']) remembered.set(key(name), '1', outcome('x'.repeat(300)));
  expect(['a', 'b', 'c', 'd'].filter((name) => remembered.get(key(name)))).toEqual(['c', 'd']);
  remembered.set(key('huge'), '1', outcome('x'.repeat(2_000)));
  expect(remembered.get(key('huge'))).toBeUndefined();
  remembered.set(key('small'), '1', outcome('x'));
  expect(remembered.get(key('small'))).toBeDefined();
});

test('counts a replaced outcome once', () => {
  const remembered = new RememberedOutcomes({ countMax: 100, bytesMax: 1_000 });
  remembered.set(key('kept'), '1', outcome('x'));
  for (let turn = 0; turn < 20; turn += 1) remembered.set(key('a'), '1', outcome('x'.repeat(300)));
  expect(remembered.get(key('kept'))).toBeDefined();
});
