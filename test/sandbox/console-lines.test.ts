import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { consoleLines, consoleText } from '../../src/sandbox/console-lines.ts';

test('reads what was packed', () => {
  const lines = consoleLines('l3:a\nbw0:e5:1:l2:');
  expect(lines).toEqual([
    { level: 'log', text: 'a\nb' },
    { level: 'warn', text: '' },
    { level: 'error', text: '1:l2:' },
  ]);
  expect(consoleText(lines)).toBe('a\nb\n\n1:l2:\n');
});

test('whatever was packed, it ends and is bounded', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('l', 'e', '9', '1', ':', 'x', '-') }),
      (packed) => {
        const lines = consoleLines(packed);
        expect(lines.length).toBeLessThanOrEqual(packed.length);
      },
    ),
    { numRuns: 1_000 },
  );
  expect(consoleLines(`l999999:${'x'.repeat(200_000)}`)[0]?.text.length).toBe(
    limits.sandboxConsoleBytesMax,
  );
  expect(consoleLines('l0:'.repeat(20_000)).length).toBe(limits.sandboxConsoleLinesMax);
});
