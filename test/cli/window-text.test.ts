import { expect, test } from 'vitest';
import { windowText } from '../../src/cli/window-text.ts';
import type { WindowView } from '../../src/runtime/views.ts';

const window: WindowView = {
  actor: 'r.answer.agent',
  sequence: 7,
  characters: 21,
  promptTokens: 9,
  grown: null,
  budget: null,
  previous: null,
  items: [],
  left: [],
};

test('a window is told in a sentence, with the growth that it needed', () => {
  const [plain] = windowText(window).split('\n');
  expect(plain).toBe('Asked by r.answer.agent at event 7: 21 characters, 9 tokens');
  const [grown] = windowText({ ...window, grown: { from: 512, to: 1_024 } }).split('\n');
  expect(grown).toBe(`${plain}, the context grew from 512 to 1024 tokens for it`);
});
