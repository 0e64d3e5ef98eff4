/** Merging results in levels, and what is made of a merge. */
import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/actors/agent-answer.ts';
import type { StartAgentEvent } from '../../src/actors/event.ts';
import type { Intention } from '../../src/actors/intention.ts';
import { mergedFrom } from '../../src/actors/merge.ts';
import { groupAsElement, reductionOf, reductionOutput } from '../../src/actors/reduction.ts';
import { leavesOf, type Statement } from '../../src/actors/statements.ts';
import { actorId } from '../../src/kernel/ids.ts';
import type { Json } from '../../src/kernel/json.ts';
import { limits } from '../../src/kernel/limits.ts';
import { answer, definitionText, result, started } from './machines.ts';

const rules = { step: 'find', atOnce: 2, maxCharacters: 4_000, support: 0.6, keep: false };

function itemOf(index: number, output: Json, more: object = {}): string {
  const range = {
    start: index * 100,
    end: index * 100 + 90,
    firstLine: index + 1,
    lastLine: index + 1,
  };
  return JSON.stringify({
    document: { name: 'long.md', part: index + 1, range },
    steps: { find: result({ output, ...more }) },
  });
}

const items = ['a', 'b', 'c', 'd', 'e'].map((letter, index) => itemOf(index, `- fact ${letter}`));

function mergedAnswer(output: readonly Statement[], answered = true): Answer {
  return {
    output: output as unknown as Json,
    answered,
    reasons: answered ? [] : ['no'],
    confidence: 1,
    attempts: 1,
  };
}

describe('a reduction', () => {
  test('asks about neighbours, level by level, until one list is left (D1)', () => {
    const answers: Answer[] = [];
    const asked: string[][] = [];
    for (;;) {
      const reduction = reductionOf(rules, items, answers);
      if (reduction.group === null) {
        expect(reduction.level).toBe(3);
        expect(reduction.statements.map(({ sources }) => sources)).toEqual([[0, 1, 2, 3, 4]]);
        break;
      }
      asked.push(reduction.group.map(({ text }) => text));
      const sources = reduction.group.flatMap((statement) => statement.sources);
      answers.push(mergedAnswer([{ text: `m${answers.length + 1}`, sources }]));
    }
    expect(asked).toEqual([
      ['fact a', 'fact b'],
      ['fact c', 'fact d'],
      ['m1', 'm2'],
      ['m3', 'fact e'],
    ]);
  });

  test('is over at once with one list, or none', () => {
    expect(reductionOf(rules, items.slice(0, 1), [])).toMatchObject({
      group: null,
      level: 0,
      statements: [{ text: 'fact a' }],
    });
    expect(reductionOf(rules, [], [])).toMatchObject({ group: null, statements: [] });
    expect(reductionOf(rules, [itemOf(0, ''), itemOf(1, 7)], [])).toMatchObject({ statements: [] });
  });

  test('tells of documents without a result', () => {
    const failed = itemOf(1, null, { verdict: 'escalated' });
    expect(reductionOf(rules, [items[0] ?? '', failed], []).reasons).toEqual([
      'Part 2 of long.md has no result to merge.',
    ]);
  });

  test('goes on unmerged where a merge gave no answer (D2)', () => {
    const { statements, group } = reductionOf(rules, items.slice(0, 2), [mergedAnswer([], false)]);
    expect(group).toBeNull();
    expect(statements.map(({ text }) => text)).toEqual(['fact a', 'fact b']);
  });

  test('ends where nothing fits together any more, and says so (D3)', () => {
    const long = [0, 1, 2].map((index) => itemOf(index, `${index}${'x'.repeat(300)}`));
    const reduction = reductionOf({ ...rules, maxCharacters: 400 }, long, []);
    expect(reduction).toMatchObject({
      group: null,
      reasons: ['3 lists of statements were too long to be merged.'],
    });
    expect(reduction.statements).toHaveLength(3);
  });

  test('is bounded where merges do not shrink', () => {
    const many = Array.from({ length: 40 }, (_, index) => itemOf(index, `fact ${index}`));
    const answers: Answer[] = [];
    for (;;) {
      const { group } = reductionOf(rules, many, answers);
      if (group === null) break;
      answers.push(mergedAnswer(group));
    }
    expect(answers.length).toBeLessThan(40);
    expect(reductionOf(rules, many, answers).statements).toHaveLength(40);
    expect(limits.reduceLevelsMax).toBeGreaterThan(6);
  });

  test('asks a statement once that stands in two lists, with both its sources', () => {
    const twice = [itemOf(0, 'Fact A.'), itemOf(1, ['fact a', 'other'])];
    const { group } = reductionOf(rules, twice, []);
    expect(group).toEqual([
      { text: 'Fact A.', sources: [0, 1] },
      { text: 'other', sources: [2] },
    ]);
    expect(groupAsElement(reductionOf(rules, twice, []))).toEqual({
      level: 1,
      statements: [
        { number: 1, text: 'Fact A.' },
        { number: 2, text: 'other' },
      ],
    });
  });

  test('names the places that each statement stands on, each once', () => {
    const found = { text: 'fact b', range: { start: 5, end: 11, firstLine: 2, lastLine: 2 } };
    const both = [itemOf(0, 'fact a'), itemOf(1, [found])];
    const answers = [mergedAnswer([{ text: 'a and b', sources: [1, 0] }])];
    expect(reductionOutput(reductionOf(rules, both, answers), 1)).toEqual({
      statements: [
        {
          text: 'a and b',
          citations: [
            {
              document: 'long.md',
              part: 1,
              range: { start: 0, end: 90, firstLine: 1, lastLine: 1 },
            },
            {
              document: 'long.md',
              part: 2,
              range: { start: 105, end: 111, firstLine: 3, lastLine: 3 },
            },
          ],
        },
      ],
      levels: 1,
      merges: 1,
    });
  });

  test('of whole documents has ranges only where they are known', () => {
    const whole = JSON.stringify({
      document: { name: 'm.txt', part: 0 },
      steps: { find: result({ output: 'one' }) },
    });
    expect(leavesOf([whole], 'find').sources).toEqual([
      { document: 'm.txt', part: 0, range: null },
    ]);
  });
});

describe('a merge', () => {
  const group: readonly Statement[] = [
    { text: 'The rent in Graz goes up on 3 May.', sources: [4] },
    { text: 'Neema signed the offer on 7 July.', sources: [1, 2] },
  ];
  const free = { support: 0.6, keep: false };

  test('has the sources of what it cites, whatever the form of the answer (M1)', () => {
    const expected = [
      { text: 'Neema signed the offer; the rent in Graz goes up.', sources: [1, 2, 4] },
    ];
    const text = 'Neema signed the offer; the rent in Graz goes up.';
    for (const output of [
      `- ${text} [1][2]`,
      `${text} [1, 2]`,
      [{ text, cites: [1, 2] }],
      { statements: [{ text: `${text} [2]`, cites: [1] }] },
    ]) {
      expect(mergedFrom(output as Json, group, free)).toEqual({
        statements: expected,
        reasons: [],
      });
    }
  });

  test('without marks cites what it copies', () => {
    expect(mergedFrom('- neema signed the offer on 7 July', group, free)).toEqual({
      statements: [{ text: 'neema signed the offer on 7 July', sources: [1, 2] }],
      reasons: [],
    });
  });

  test.each([
    ['Neema signed the offer. [3]', 'cites [3], which it was not given'],
    ['Neema signed the offer. [1][0]', 'cites [0], which it was not given'],
    ['Neema signed an offer in July.', 'cites nothing'],
    ['The rent in Graz goes up on 7 May. [1]', 'has 7, which its sources do not have'],
    ['Neema signed the offer on 7 July. [1]', 'has 7, which its sources do not have'],
    ['Horses gallop along beaches. [1]', 'says something else than its sources'],
  ])('that says "%s" is refused: it %s (M2)', (line, fault) => {
    const { statements, reasons } = mergedFrom(
      `${line}\nThe rent in Graz goes up on 3 May. [1]`,
      group,
      free,
    );
    expect(statements).toEqual([group[0]]);
    expect(reasons).toEqual([expect.stringContaining(`${fault}; it was left out.`)]);
  });

  test('of which nothing is left says so; with `keep` nothing is lost (M3)', () => {
    expect(mergedFrom('', group, free)).toEqual({
      statements: [],
      reasons: ['The merge left nothing over.'],
    });
    expect(mergedFrom('Invented. [9]', group, { support: 0.6, keep: true })).toMatchObject({
      statements: group,
      reasons: [expect.stringContaining('[9]')],
    });
    expect(mergedFrom(`${group[1]?.text} [2]`, group, { support: 0.6, keep: true })).toEqual({
      statements: [group[1], group[0]],
      reasons: [],
    });
  });
});

describe('an agent that merges', () => {
  function start(reduce: object = {}) {
    const event: StartAgentEvent = {
      type: 'start',
      machine: 'agent',
      self: actorId('run/supervisor/merge'),
      parent: actorId('run/supervisor'),
      definition: definitionText({
        name: 'demo',
        agents: {
          merger: { prompt: '{{#each.statements}}[{{number}}] {{text}}\n{{/each.statements}}' },
        },
        steps: [
          { id: 'find', agent: 'merger', map: 'documents' },
          {
            id: 'merge',
            agent: 'merger',
            needs: ['find'],
            reduce: { step: 'find', atOnce: 2, ...reduce },
          },
        ],
      }),
      seed: 1,
      step: 'merge',
      variables: {
        document: null,
        steps: '{}',
        items: items.slice(0, 3),
        run: { name: 'demo', seed: 1 },
      },
    };
    return started('agent', event);
  }

  const promptOf = ([intention]: readonly Intention[]): Json =>
    intention?.kind === 'act' ? (intention.arguments.messages ?? null) : null;

  test('asks group by group, and is done with cited statements', () => {
    const { of, intentions } = start();
    expect(promptOf(intentions)).toEqual([{ role: 'user', content: '[1] fact a\n[2] fact b\n' }]);
    const second = of.send(answer('Fact a and fact b [1][2]'));
    expect(promptOf(second)).toEqual([
      { role: 'user', content: '[1] Fact a and fact b\n[2] fact c\n' },
    ]);
    const [done] = of.send(answer('Fact a and fact b [1]\nfact c [2]'));
    expect(done).toMatchObject({
      event: {
        type: 'agent-done',
        result: {
          verdict: 'accepted',
          attempts: 2,
          output: {
            levels: 2,
            merges: 2,
            statements: [
              { text: 'Fact a and fact b', citations: [{ part: 1 }, { part: 2 }] },
              { text: 'fact c', citations: [{ part: 3 }] },
            ],
          },
        },
      },
    });
    expect(of.done).toBe(true);
  });

  test('is doubted for an invented citation; what stands without it goes on, flagged', () => {
    const { of } = start({ keep: true });
    expect(of.send(answer('fact a [1]\nfact z9 [2]'))).toMatchObject([
      { event: { type: 'agent-doubt', reasons: [expect.stringContaining('has z9')] } },
    ]);
    expect(promptOf(of.send({ type: 'settle' }))).toEqual([
      { role: 'user', content: '[1] fact a\n[2] fact b\n[3] fact c\n' },
    ]);
    const [done] = of.send(answer('fact a [1]'));
    expect(done).toMatchObject({
      event: { result: { verdict: 'flagged', output: { statements: [{}, {}, {}] } } },
    });
  });

  test('that gets no answer at all hands over what is unmerged, and gives nothing up', () => {
    const { of } = start();
    of.send(answer(''));
    of.send({ type: 'settle' });
    of.send(answer(''));
    const [done] = of.send({ type: 'settle' });
    expect(done).toMatchObject({
      event: {
        result: {
          verdict: 'flagged',
          output: { statements: [{ text: 'fact a' }, { text: 'fact b' }, { text: 'fact c' }] },
        },
      },
    });
  });
});
