/** `claw context` over a journal with one conversation. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import type { ContextView } from '../../src/runtime/views.ts';
import { generated, World } from '../runtime/world.ts';
import { claw, expectFailure, oneObject } from './claw-process.ts';

const data = mkdtempSync(join(tmpdir(), 'openclaw-context-'));
afterAll(() => rmSync(data, { recursive: true, force: true }));
let run: RunId;
let plain: RunId;
let many: RunId;

beforeAll(() => {
  openDataDirectory(data, 0).release();
  const world = new World(data);
  const agent = { prompt: 'Find: {{document.text}}', output: { type: 'object' } };
  const pipeline = {
    name: 'search',
    agents: { searcher: { ...agent, tools: ['read'], turns: 4 } },
    tools: {
      read: { actuator: 'file', operation: 'read', parameters: [], arguments: { path: 'a.txt' } },
    },
    steps: [{ id: 'find', agent: 'searcher', map: 'documents' }],
  };
  const says = ['{"tool":"read"}', '{"tool":"none","key":"Bonn"}'];
  run = world.start(pipeline, ['the key']);
  let asked = 0;
  world.play((operation) => {
    if (operation === 'file.read') return { status: 'completed', value: { text: 'Bonn' } };
    asked += 1;
    return generated(says[asked - 1] ?? 'off script');
  });
  many = world.start(
    pipeline,
    Array.from({ length: 17 }, (_, index) => `key ${index}`),
  );
  world.play(() => generated('{"tool":"none"}'));
  plain = world.start(
    { ...pipeline, agents: { searcher: { prompt: 'Summarise {{document.text}}' } }, tools: {} },
    ['the text'],
  );
  world.play(() => generated('short'));
  world.close();
});

async function contexts(of = run): Promise<ContextView[]> {
  const { status, stdout } = await claw(['context', of, '--json'], { data });
  expect(status).toBe(0);
  return (oneObject(stdout) as { contexts: ContextView[] }).contexts;
}

describe('claw context', () => {
  test('lists what was asked on, each with its parent', async () => {
    const found = await contexts();
    const actor = 'run/document-1/supervisor/find';
    expect(found).toEqual([
      { hash: expect.any(String), parent: null, actor, sequence: expect.any(Number), items: 1 },
      {
        hash: expect.any(String),
        parent: found[0]?.hash,
        actor,
        sequence: expect.any(Number),
        items: 2,
      },
    ]);
    const { stdout } = await claw(['context', run], { data });
    expect(stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^ *EVENT +CONTEXT +PARENT +ITEMS +ACTOR$/),
      expect.stringMatching(new RegExp(`^ *\\d+ +${found[0]?.hash.slice(0, 12)} +- +1 +${actor}$`)),
      expect.stringContaining(found[1]?.hash.slice(0, 12) ?? 'none'),
    ]);
  });

  test('shows one whole, by enough of its hash', async () => {
    const hash = (await contexts())[1]?.hash ?? '';
    const shown = await claw(['context', run, hash.slice(0, 12)], { data });
    expect(shown.stdout).toContain(`Context ${hash}, asked on by run/document-1/supervisor/find`);
    expect(shown.stdout).toContain(
      '--- user\nFind: the key\n--- assistant\n{"tool":"read"}\n--- user\nResult of read:\n{"text":"Bonn"}\n',
    );
    const json = oneObject((await claw(['context', run, hash, '--json'], { data })).stdout);
    expect(json).toMatchObject({ run, hash, messages: [{}, { content: '{"tool":"read"}' }, {}] });
  });

  test('is what claw events names at the event that asked on it', async () => {
    const [first, second] = await contexts();
    const { stdout } = await claw(['events', run], { data });
    const lines = stdout.split('\n').filter((line) => line.includes(' on context '));
    expect(lines).toEqual(
      [first, second].map((context) =>
        expect.stringMatching(
          new RegExp(
            `^ +${context?.sequence} .* act inference.generate on context ${context?.hash.slice(0, 12)}$`,
          ),
        ),
      ),
    );
    const page = oneObject((await claw(['events', run, '--json'], { data })).stdout) as {
      events: { sequence: number; context?: string }[];
    };
    const named = page.events.filter(({ context }) => context !== undefined);
    expect(named.map(({ sequence, context }) => [sequence, context])).toEqual(
      [first, second].map((context) => [context?.sequence, context?.hash]),
    );
  });

  test('refuses a hash that names none, and says so of a run without turns', async () => {
    expectFailure(
      await claw(['context', run, 'abcdef012345', '--json'], { data }),
      'CONTEXT_NOT_FOUND',
      /has no context abcdef012345/,
    );
    // Of 17 hashes two begin with the same of 16 digits.
    const digits = (await contexts(many)).map(({ hash }) => hash[0] ?? '');
    expect(digits).toHaveLength(17);
    const shared = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? '';
    expectFailure(
      await claw(['context', many, shared, '--json'], { data }),
      'CONTEXT_NOT_FOUND',
      /Several contexts/,
    );
    expect((await claw(['context', plain], { data })).stdout).toBe(
      'No agent of this run has turns.\n',
    );
  });
});
