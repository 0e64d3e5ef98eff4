import { expect, onTestFinished, test } from 'vitest';
import { Output } from '../../src/cli/output.ts';
import { stepThrough } from '../../src/cli/replay-stepper.ts';
import { parseBreakpoint } from '../../src/runtime/breakpoint.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { fixtureFolder, recordedFacts } from '../journal/fixtures.ts';

const name = 'inbox-format-2';

/** What is shown after each line, the beginning first. */
async function shown(lines: readonly string[], isTTY = false): Promise<string[]> {
  const journal = openReadOnly(fixtureFolder(name));
  onTestFinished(() => journal.close());
  const parts: string[] = [''];
  const stdout = {
    isTTY,
    write: (text: string) => {
      parts[parts.length - 1] += text;
    },
  };
  async function* input() {
    for (const line of lines) {
      parts.push('');
      yield line;
    }
  }
  const session = journal.session(recordedFacts(name).run);
  const breakpoints = [parseBreakpoint('type=retry')];
  await stepThrough(
    { session, breakpoints },
    input(),
    new Output({ stdout, stderr: stdout }, { json: false }),
  );
  return parts;
}

const sequenceOf = (text: string | undefined) =>
  Number(/^event (\d+) /m.exec(text ?? '')?.[1] ?? 0);

test('each line moves, or shows something of the place', async () => {
  const lines = ['', 'n 4', 'b', 'b 2', 'g 50', 'r', 'c', 'b 1000', 'c', 'n 1000', 'n'];
  const texts = await shown(lines);
  expect(texts.map(sequenceOf)).toEqual([0, 1, 5, 4, 2, 50, 44, 82, 0, 44, 82, 82]);
  expect(texts[0]).toBe('At the beginning of 82 events.\n');
  expect(texts.at(-1)).toMatch(/At the end\.\n$/);
});

test('actors and states are those of the place, and anything else brings help', async () => {
  const [, , actors, state, nobody, help, after] = await shown([
    'g 3',
    'a',
    's run/document-1',
    's run/document-2',
    'what',
    'q',
  ]);
  expect(actors?.trim().split('\n')).toHaveLength(3);
  expect(actors).toMatch(/^run\/document-1 +pipeline@1 +1 events +reading +waits for blobs.read/m);
  expect(JSON.parse(state ?? '')).toMatchObject({ value: 'reading', status: 'active' });
  expect(nobody).toBe('There is no actor run/document-2 here.\n');
  expect(help).toContain('q         leave');
  expect(after).toBe('');
});

test('only a terminal gets a prompt', async () => {
  expect((await shown(['n']))[1]).not.toContain('> ');
  expect((await shown(['n'], true))[0]).toMatch(/\n> $/);
});
