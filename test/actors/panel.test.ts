/** Panels: whom each pattern asks, what it comes to, and how it ends. */
import { describe, expect, test } from 'vitest';
import type { PanelDoneEvent, StartPanelEvent } from '../../src/actors/event.ts';
import type { ActIntention, Intention } from '../../src/actors/intention.ts';
import { actorHash } from '../../src/actors/step.ts';
import { actorId } from '../../src/kernel/ids.ts';
import type { Json } from '../../src/kernel/json.ts';
import { limits } from '../../src/kernel/limits.ts';
import { completed, definitionText, failed, started } from './machines.ts';

const self = actorId('run/supervisor/work/panel-1-1');
const parent = actorId('run/supervisor/work');
const verdictSchema = { type: 'object', properties: { supported: { type: 'boolean' } } };

function definitionWith(validate: object, agent: object = {}): string {
  return definitionText({
    name: 'demo',
    agents: {
      worker: {
        prompt: 'Q: {{document.text}}',
        supervise: { minConfidence: 0.4, repetition: 3 },
        validate,
        ...agent,
      },
      critic: {
        system: 'Be strict.',
        prompt: '{{question}} A: {{answer}} Right?',
        output: verdictSchema,
      },
      judge: { prompt: '{{answer}} against {{critique.output}}', output: verdictSchema },
      one: { prompt: 'For {{answer}}. {{#debate}}[{{round}} {{speaker}}: {{words}}]{{/debate}}' },
      two: {
        prompt: 'Against {{answer}}. {{#debate}}[{{round}} {{speaker}}: {{words}}]{{/debate}}',
      },
      chair: { prompt: '{{#debate}}{{round}}{{words}};{{/debate}}', output: verdictSchema },
      coder: { prompt: 'Write a test of {{answer}}' },
    },
    steps: [{ id: 'work', agent: 'worker', map: 'documents' }],
  });
}

function start(validate: object, answer: Json = 'Bonn', agent: object = {}) {
  const event: StartPanelEvent = {
    type: 'start',
    machine: 'panel',
    self,
    parent,
    definition: definitionWith(validate, agent),
    seed: 7,
    step: 'work',
    variables: {
      document: { name: 'm.txt', text: 'The key is in Bonn.', part: 0 },
      steps: '{}',
      items: null,
      run: { name: 'demo', seed: 7 },
    },
    each: null,
    question: 'Q: The key is in Bonn.',
    asked: [{ role: 'user', content: 'Q: The key is in Bonn.' }],
    answer,
  };
  return started('panel', event);
}

function acts(intentions: readonly Intention[]): ActIntention[] {
  return intentions.map((intention) => {
    if (intention.kind !== 'act') throw new Error('acts are expected');
    return intention;
  });
}

function promptsOf(intentions: readonly Intention[]): Json[] {
  return acts(intentions).map(({ arguments: { messages } }) => messages ?? null);
}

function reported(intentions: readonly Intention[]) {
  const [intention] = intentions;
  if (intentions.length !== 1 || intention?.kind !== 'send') throw new Error('one report');
  expect(intention.to).toBe(parent);
  return intention.event;
}

function findings(intentions: readonly Intention[]): PanelDoneEvent {
  const event = reported(intentions);
  if (event.type !== 'panel-done') throw new Error('findings are expected');
  return event;
}

function says(place: string, value: Json, tokens = [10, 2]) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const [promptTokens = 0, answerTokens = 0] = tokens;
  return completed(`generate:${place}`, {
    status: 'completed',
    text,
    minConfidence: 0.9,
    halt: null,
    usage: { promptTokens, answerTokens },
  });
}

describe('a vote', () => {
  const validate = { pattern: 'vote', samples: 4, temperature: 0.7, agreement: 0.6 };

  test('asks the same question again, all at once, each with another seed and no detector of confidence', () => {
    const { intentions } = start(validate);
    const asked = acts(intentions);
    expect(asked.map(({ tag }) => tag)).toEqual([0, 1, 2, 3].map((seat) => `generate:0-${seat}`));
    for (const { arguments: given } of asked) {
      expect(given).toMatchObject({
        messages: [{ role: 'user', content: 'Q: The key is in Bonn.' }],
        temperature: 0.7,
        detectors: { minConfidence: null, repetition: 3 },
      });
    }
    expect(new Set(asked.map(({ arguments: { seed } }) => seed)).size).toBe(4);
  });

  test('lets an answer stand that enough agree on, by its words, and tells what it took', () => {
    const { of } = start(validate);
    of.send(says('0-2', 'bonn.'));
    of.send(says('0-0', 'Bonn'));
    of.send(says('0-3', 'Köln'));
    expect(reported(of.send(says('0-1', ' Bonn')))).toEqual({
      type: 'panel-done',
      output: 'Bonn',
      reasons: [],
      validation: {
        pattern: 'vote',
        panels: 1,
        generations: 4,
        promptTokens: 40,
        answerTokens: 8,
        programs: 0,
        evidence: ['4 of 5 answers agree on "Bonn"; 1 is "Köln".'],
      },
    });
    expect(of.done).toBe(true);
  });

  test('takes the answer that wins, though it is not the one at hand', () => {
    const { of } = start(validate, 'Köln');
    for (const seat of [0, 1, 2]) of.send(says(`0-${seat}`, 'Bonn'));
    expect(reported(of.send(says('0-3', 'Bonn')))).toMatchObject({ output: 'Bonn', reasons: [] });
  });

  test('doubts without agreement, and counts who abstains (V1, V2)', () => {
    const { of } = start(validate);
    of.send(says('0-0', 'Köln'));
    of.send(
      completed('generate:0-1', { status: 'halted', text: '', minConfidence: 0.1, halt: null }),
    );
    of.send(says('0-2', 'Bonn'));
    const evidence = '2 of 5 answers agree on "Bonn"; 2 are "Köln"; 1 had no vote.';
    expect(reported(of.send(says('0-3', 'Köln')))).toMatchObject({
      output: 'Bonn',
      reasons: [`Too few agree: ${evidence}`],
      validation: { evidence: [evidence] },
    });
  });

  test('does not count answers that the checks of the agent doubt', () => {
    const { of } = start(validate, 'Bonn', {
      checks: [{ use: 'confidence', with: { min: 0.95 } }],
    });
    for (const seat of [0, 1, 2]) of.send(says(`0-${seat}`, 'Bonn'));
    expect(reported(of.send(says('0-3', 'Bonn')))).toMatchObject({
      reasons: ['Too few agree: 1 of 5 answers agree on "Bonn"; 4 had no vote.'],
    });
  });

  test('quotes the answers that had most votes, and counts the others', () => {
    const { of } = start({ ...validate, samples: 6 });
    for (const seat of [0, 1, 2, 3, 4]) of.send(says(`0-${seat}`, `town ${seat}`));
    expect(findings(of.send(says('0-5', 'town 4'))).reasons).toEqual([
      'Too few agree: 2 of 7 answers agree on "town 4"; 1 is "Bonn"; 1 is "town 0"; 1 is "town 1"; 2 differ from these.',
    ]);
  });

  test('compares by a path of the answer', () => {
    const output = { type: 'object' };
    const by = { ...validate, samples: 1, agreement: 1, compare: 'route.name' };
    const { of } = start(by, { route: { name: 'hr' }, why: 'a' }, { output });
    const { reasons } = findings(of.send(says('0-0', { route: { name: 'HR' }, why: 'b' })));
    expect(reasons).toEqual([]);
  });

  test('comes to the same state in whatever order the votes arrive (T1)', () => {
    const hashes = [
      [0, 1, 2],
      [2, 0, 1],
    ].map((order) => {
      const { of } = start(validate);
      for (const seat of order) of.send(says(`0-${seat}`, `town ${seat}`));
      return actorHash(of.state);
    });
    expect(hashes[0]).toBe(hashes[1]);
  });
});

describe('a critic', () => {
  const validate = { pattern: 'critic', critic: 'critic' };

  test('reads question and answer, and its support lets the answer stand', () => {
    const { of, intentions } = start(validate);
    expect(promptsOf(intentions)).toEqual([
      [
        { role: 'system', content: 'Be strict.' },
        { role: 'user', content: 'Q: The key is in Bonn. A: Bonn Right?' },
      ],
    ]);
    expect(reported(of.send(says('0-0', { supported: true })))).toMatchObject({
      type: 'panel-done',
      output: 'Bonn',
      reasons: [],
    });
  });

  test('whose objection no judge hears makes a doubt with its words', () => {
    const { of } = start(validate);
    const words = '{"supported":false,"why":"no such town"}';
    expect(reported(of.send(says('0-0', JSON.parse(words) as Json)))).toMatchObject({
      reasons: [`Not confirmed: critic says ${words}.`],
    });
  });

  test.each([
    [true, 0],
    [false, 1],
  ])('objects, and a judge finds %s', (supported, doubts) => {
    const { of } = start({ ...validate, judge: 'judge' });
    const second = of.send(says('0-0', { supported: false }));
    expect(promptsOf(second)).toEqual([
      [{ role: 'user', content: 'Bonn against {"supported": false}' }],
    ]);
    const { reasons, validation } = findings(of.send(says('1-0', { supported })));
    expect(reasons).toHaveLength(doubts);
    expect(validation).toMatchObject({
      generations: 2,
      evidence: ['critic says {"supported":false}.', `judge says {"supported":${supported}}.`],
    });
  });

  test('that keeps to no schema, or is stopped, supports nothing', () => {
    const { of } = start(validate);
    expect(reported(of.send(says('0-0', 'yes, supported')))).toMatchObject({
      reasons: [
        'Not confirmed: critic says nothing that counts (The answer is not the JSON that was asked for.).',
      ],
    });
  });

  test('is quoted in part where it says much', () => {
    const { of } = start(validate);
    const event = reported(of.send(says('0-0', { supported: false, why: 'x'.repeat(5_000) })));
    expect(JSON.stringify(event).length).toBeLessThan(4 * limits.quotedCharactersMax);
  });
});

describe('a debate', () => {
  const validate = { pattern: 'debate', opponents: ['one', 'two'], judge: 'chair', rounds: 2 };

  test('has rounds whose opponents speak at once and hear the rounds before; then the judge decides', () => {
    const { of, intentions } = start(validate);
    expect(promptsOf(intentions)).toEqual([
      [{ role: 'user', content: 'For Bonn. ' }],
      [{ role: 'user', content: 'Against Bonn. ' }],
    ]);
    expect(of.send(says('0-1', 'No.'))).toEqual([]);
    const second = of.send(says('0-0', 'Yes.'));
    const heard = '[1 one: Yes.][1 two: No.]';
    expect(promptsOf(second)).toEqual([
      [{ role: 'user', content: `For Bonn. ${heard}` }],
      [{ role: 'user', content: `Against Bonn. ${heard}` }],
    ]);
    of.send(says('1-0', 'Still yes.'));
    const third = of.send(says('1-1', 'Still no.'));
    expect(promptsOf(third)).toEqual([
      [{ role: 'user', content: '1Yes.;1No.;2Still yes.;2Still no.;' }],
    ]);
    const lines = [
      'one says "Still yes.".',
      'two says "Still no.".',
      'chair says {"supported":false}.',
    ];
    expect(reported(of.send(says('2-0', { supported: false })))).toMatchObject({
      reasons: [`Not upheld in the debate: ${lines.join(' ')}`],
      validation: { generations: 5, evidence: lines },
    });
    expect(of.done).toBe(true);
  });

  test('that the judge decides for the answer doubts nothing', () => {
    const { of } = start({ ...validate, rounds: 1 });
    of.send(says('0-0', 'Yes.'));
    of.send(says('0-1', 'No.'));
    expect(reported(of.send(says('1-0', { supported: true })))).toMatchObject({ reasons: [] });
  });
});

describe('a program', () => {
  const validate = { pattern: 'code', source: 'input.answer.length > 3' };

  test('runs over the answer, within the limits of the agent', () => {
    const { intentions } = start(validate, 'Bonn', { limits: { timeoutMs: 700, memoryMb: 16 } });
    expect(acts(intentions)).toEqual([
      {
        kind: 'act',
        tag: 'program:0-0',
        actuator: 'sandbox',
        operation: 'run',
        effect: 'pure',
        arguments: {
          source: 'input.answer.length > 3',
          input: {
            question: 'Q: The key is in Bonn.',
            answer: 'Bonn',
            each: null,
            written: null,
            steps: {},
            document: 'The key is in Bonn.',
          },
          timeoutMs: 700,
          memoryMb: 16,
        },
      },
    ]);
  });

  test.each<[Json, readonly string[]]>([
    [true, []],
    [[], []],
    [false, ['The program finds the answer wrong.']],
    ['too short', ['The program says "too short".']],
    [
      ['a', 'b'],
      ['The program says "a".', 'The program says "b".'],
    ],
    [12, ['The program gave 12, which is neither true nor what is wrong.']],
    [null, ['The program gave null, which is neither true nor what is wrong.']],
  ])('whose value is %j finds %j', (value, reasons) => {
    const { of } = start(validate);
    expect(reported(of.send(completed('program:0-0', value)))).toMatchObject({
      reasons,
      validation: { programs: 1, generations: 0 },
    });
  });

  test('that throws is a doubt, and one that the host lost is a technical failure', () => {
    const thrown = start(validate).of.send(
      failed('program:0-0', { code: 'SANDBOX_SCRIPT_ERROR', message: 'x is not defined' }),
    );
    expect(reported(thrown)).toMatchObject({
      type: 'panel-done',
      reasons: ['The program failed: x is not defined'],
    });
    const lost = { code: 'SANDBOX_CRASHED', message: 'gone', retryable: true } as const;
    expect(reported(start(validate).of.send(failed('program:0-0', lost)))).toEqual({
      type: 'panel-failed',
      error: lost,
    });
  });

  test('may be written by another agent', () => {
    const { of, intentions } = start({ pattern: 'code', agent: 'coder' });
    expect(promptsOf(intentions)).toEqual([[{ role: 'user', content: 'Write a test of Bonn' }]]);
    const second = of.send(says('0-0', "```js\ninput.answer === 'Bonn'\n```"));
    expect(acts(second)[0]?.arguments).toMatchObject({ source: "input.answer === 'Bonn'" });
    expect(reported(of.send(completed('program:1-0', true)))).toMatchObject({
      reasons: [],
      validation: { generations: 1, programs: 1 },
    });
  });

  test('that nobody wrote is a doubt', () => {
    const { of } = start({ pattern: 'code', agent: 'coder' });
    expect(reported(of.send(says('0-0', '  ')))).toMatchObject({
      reasons: ['There is no program to examine the answer with: coder says "".'],
    });
  });

  test('may work on what another agent wrote', () => {
    const { of } = start({ ...validate, agent: 'coder' });
    expect(acts(of.send(says('0-0', 'a plan')))[0]?.arguments).toMatchObject({
      source: validate.source,
      input: { written: 'a plan' },
    });
  });
});

describe('the end (N2, N3)', () => {
  const validate = { pattern: 'vote', samples: 3 };
  const late = { code: 'INFERENCE_TIMEOUT', message: 'late', retryable: true } as const;

  test('after a technical failure comes when the aborted questions have ended', () => {
    const { of } = start(validate);
    expect(of.send(failed('generate:0-1', late))).toEqual([
      { kind: 'abort', tag: 'generate:0-0' },
      { kind: 'abort', tag: 'generate:0-2' },
    ]);
    expect(of.send(says('0-0', 'Bonn'))).toEqual([]);
    expect(reported(of.send(failed('generate:0-2')))).toEqual({
      type: 'panel-failed',
      error: late,
    });
    expect(of.done).toBe(true);
  });

  test('after a cancel too, also amid a failure', () => {
    for (const isFailing of [false, true]) {
      const { of } = start(validate);
      const first = isFailing ? failed('generate:0-0', late) : says('0-0', 'Bonn');
      of.send(first);
      const aborts = of.send({ type: 'cancel' });
      expect(aborts).toHaveLength(isFailing ? 0 : 2);
      expect(of.send(failed('generate:0-1'))).toEqual([]);
      expect(reported(of.send(says('0-2', 'Bonn')))).toEqual({ type: 'panel-cancelled' });
      expect(of.done).toBe(true);
    }
  });
});

describe('another definition (N4)', () => {
  test('asks again what is open and another then, and leaves the rest', () => {
    const validate = { pattern: 'debate', opponents: ['one', 'two'], judge: 'chair', rounds: 1 };
    const { of, intentions } = start(validate);
    const definition = definitionWith(validate);
    const changed = JSON.parse(definition) as { agents: { two: { temperature: number } } };
    changed.agents.two.temperature = 0.9;
    expect(of.send({ type: 'amend', definition })).toEqual([]);
    of.send(says('0-0', 'Yes.'));
    const again = acts(of.send({ type: 'amend', definition: JSON.stringify(changed) }));
    expect(again.map(({ tag, arguments: given }) => [tag, given.temperature])).toEqual([
      ['generate:0-1', 0.9],
    ]);
    // What was said in this round meanwhile is none of its business (T1).
    expect(promptsOf(again)[0]).toEqual(promptsOf(intentions)[1] ?? null);
    of.send(says('0-1', 'No.'));
    expect(reported(of.send(says('1-0', { supported: true })))).toMatchObject({ reasons: [] });
  });
});

test('whoever speaks is shown what only this machine may see, and is asked here', () => {
  const validate = { pattern: 'critic', critic: 'critic', judge: 'judge' };
  for (const privacy of ['local-only', 'any'] as const) {
    const { intentions } = start(validate, 'Bonn', { privacy });
    expect(acts(intentions)[0]?.arguments.privacy).toBe(
      privacy === 'local-only' ? 'local-only' : undefined,
    );
  }
});
