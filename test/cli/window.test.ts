/** `claw context RUN --at`, through the real command, over a conversation that was shortened. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import type { ContextView, WindowView } from '../../src/runtime/views.ts';
import { generated, World } from '../runtime/world.ts';
import { claw, expectFailure, oneObject, temporaryFolder } from './claw-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);
const data = join(folder, 'data');
let run = '';

beforeAll(() => {
  openDataDirectory(data, 0).release();
  const world = new World(data);
  const agent = {
    prompt: 'Find: {{document.text}}',
    pins: ['Name the ticket.'],
    output: { type: 'object' },
    tools: ['read'],
    turns: 4,
    context: { budget: { characters: 300 }, keep: { lastTurns: 1 } },
  };
  run = world.start(
    {
      name: 'search',
      agents: { searcher: agent },
      tools: {
        read: { actuator: 'file', operation: 'read', parameters: [], arguments: { path: 'a.txt' } },
      },
      steps: [{ id: 'find', agent: 'searcher', map: 'documents' }],
    },
    ['the key'],
  );
  let asked = 0;
  world.play((operation) => {
    asked += 1;
    if (operation === 'file.read') {
      return { status: 'completed', value: { text: `page ${asked} ${'x'.repeat(150)}` } };
    }
    return generated(asked < 5 ? '{"tool":"read"}' : '{"tool":"none","key":"Bonn"}');
  });
  world.close();
});

async function window(...words: string[]): Promise<WindowView> {
  const { status, stdout } = await claw(['context', run, ...words, '--json'], { data });
  expect(status).toBe(0);
  return oneObject(stdout) as unknown as WindowView;
}

test('shows what a generation was asked on, its pins, and what had left', async () => {
  const { stdout } = await claw(['context', run, '--json'], { data });
  const { contexts } = oneObject(stdout) as unknown as { contexts: ContextView[] };
  const [first, second, third] = contexts.map(({ sequence }) => String(sequence));
  expect(await window('--at', second ?? '')).toMatchObject({ left: [], previous: Number(first) });
  const cut = await window('--at', third ?? '', '--actor', contexts[0]?.actor ?? '');
  expect(cut).toMatchObject({ budget: 300, previous: Number(second), promptTokens: 3 });
  expect(cut.items.map(({ role, pinned }) => [role, pinned])).toEqual([
    ['system', true],
    ['user', false],
    ['assistant', false],
    ['tool', false],
  ]);
  const told = await claw(['context', run, '--at', third ?? ''], { data });
  expect(told.stdout).toMatch(/shortened for a budget of 300/);
  expect(told.stdout).toMatch(/^PIN +system +16 +Name the ticket\.$/m);
  expect(told.stdout).toMatch(/^Has left since it asked at event \d+:$/m);
  expect(told.stdout).toMatch(/^ +tool read +\d+ +0(?:\.\d+)? +\{"text":"page 2 x/m);
  const begin = await claw(['context', run, '--at', first ?? ''], { data });
  expect(begin.stdout).toContain('It is the first question of this agent.');
});

test('says when nobody had asked', async () => {
  expectFailure(
    await claw(['context', run, '--at', '1', '--json'], { data }),
    'CONTEXT_NOT_FOUND',
    /had asked a model at event 1/,
  );
  expectFailure(await claw(['context', run, '--at', 'x', '--json'], { data }), 'USAGE', /at/);
});
