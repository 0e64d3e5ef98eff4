import { describe, expect, test } from 'vitest';
import type { StartAgentEvent, StepVariables } from '../../src/actors/event.ts';
import type { Intention } from '../../src/actors/intention.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { answer, completed, definitionText, failed, halt, started } from './machines.ts';

const self = actorId('run/supervisor/work');
const parent = actorId('run/supervisor');
const variables: StepVariables = {
  document: { name: 'm.txt', text: 'The key is in Bonn.', part: 0 },
  steps: JSON.stringify({
    before: { verdict: 'accepted', output: ['a', 'b'], reasons: [], confidence: 1, attempts: 1 },
  }),
  items: null,
  run: { name: 'demo', seed: 7 },
};

interface Parts {
  readonly agent?: object;
  readonly step?: object;
  readonly variables?: StepVariables;
}

function start(parts: Parts = {}) {
  const definition = definitionText({
    name: 'demo',
    agents: { worker: { prompt: 'Q: {{document.text}} {{each}}', ...parts.agent } },
    tools: {
      calc: {
        actuator: 'sandbox',
        operation: 'run',
        parameters: ['a'],
        arguments: { source: '{{a}} * 2' },
      },
    },
    steps: [{ id: 'work', agent: 'worker', map: 'documents', ...parts.step }],
  });
  const event: StartAgentEvent = {
    type: 'start',
    machine: 'agent',
    self,
    parent,
    definition,
    seed: 7,
    step: 'work',
    variables: parts.variables ?? variables,
  };
  return started('agent', event);
}

function asked(intentions: readonly Intention[]) {
  expect(intentions).toHaveLength(1);
  const [intention] = intentions;
  if (intention?.kind !== 'act') throw new Error('an act is expected');
  return intention;
}

function told(intentions: readonly Intention[]) {
  expect(intentions).toHaveLength(1);
  const [intention] = intentions;
  if (intention?.kind !== 'send') throw new Error('a send is expected');
  expect(intention.to).toBe(parent);
  return intention.event;
}

const doubting = { agent: { checks: [{ use: 'confidence', with: { min: 0.8 } }] } };

describe('asking', () => {
  test('the request carries the prompt, the limits and the detectors of the agent', () => {
    const { intentions } = start({
      agent: {
        system: 'You are {{run.name}}.',
        temperature: 0.2,
        output: { type: 'object' },
        limits: { maxTokens: 9, timeoutMs: 500 },
        supervise: { minConfidence: 0.4, repetition: 3 },
      },
    });
    expect(asked(intentions)).toEqual({
      kind: 'act',
      tag: 'generate',
      actuator: 'inference',
      operation: 'generate',
      effect: 'pure',
      arguments: {
        messages: [
          { role: 'system', content: 'You are demo.' },
          { role: 'user', content: 'Q: The key is in Bonn. ' },
        ],
        model: null,
        schema: { type: 'object' },
        temperature: 0.2,
        seed: 7,
        maxTokens: 9,
        timeoutMs: 500,
        detectors: { minConfidence: 0.4, repetition: 3 },
      },
    });
  });

  test('a detector that was not always there is in the request only where it is set', () => {
    const supervise = { spike: 3, collapse: 40, nearRepetition: 3, stall: 64, perplexity: 4 };
    const { intentions } = start({ agent: { supervise: { minConfidence: 0.4, ...supervise } } });
    expect(asked(intentions).arguments).toMatchObject({
      detectors: { minConfidence: 0.4, repetition: null, ...supervise },
    });
  });

  test('a step with `each` asks once for each element, one after the other (A1)', () => {
    const { of, intentions } = start({ step: { each: 'steps.before.output', needs: [] } });
    expect(JSON.stringify(asked(intentions).arguments)).toContain('Bonn. a');
    const second = asked(of.send(answer('first', 0.7)));
    expect(JSON.stringify(second.arguments)).toContain('Bonn. b');
    expect(told(of.send(answer('second', 0.9)))).toEqual({
      type: 'agent-done',
      step: 'work',
      result: {
        verdict: 'accepted',
        output: ['first', 'second'],
        reasons: [],
        confidence: 0.7,
        attempts: 2,
      },
    });
    expect(of.done).toBe(true);
  });

  test('an empty list is done at once', () => {
    const { of, intentions } = start({ step: { each: 'steps.absent.output' } });
    expect(told(intentions)).toMatchObject({ result: { verdict: 'accepted', output: [] } });
    expect(of.done).toBe(true);
  });

  test('a failed generation ends the agent with the error as it came', () => {
    const { of } = start();
    const error = { code: 'INFERENCE_TIMEOUT', message: 'late', retryable: true } as const;
    expect(told(of.send(failed('generate', error)))).toEqual({
      type: 'agent-failed',
      step: 'work',
      error,
    });
    expect(of.done).toBe(true);
  });
});

describe('doubt (A2)', () => {
  test('a halted answer waits for the supervisor, who hears the question and the evidence', () => {
    const { of } = start();
    expect(told(of.send(halt('unsure at token 3')))).toEqual({
      type: 'agent-doubt',
      step: 'work',
      attempt: 0,
      each: null,
      question: 'Q: The key is in Bonn. ',
      detector: 'confidence',
      reasons: ['unsure at token 3'],
    });
    expect(of.done).toBe(false);
  });

  test('a retry asks with the given seed, temperature and grounding, the next element again as at first', () => {
    const { of } = start({ step: { each: 'steps.before.output' } });
    of.send(halt('unsure'));
    const again = asked(
      of.send({ type: 'retry', attempt: 1, temperature: 0.5, seed: 8, grounding: 'Bonn?' }),
    );
    expect(again.arguments).toMatchObject({
      messages: [{ role: 'user', content: 'Bonn?' }],
      temperature: 0.5,
      seed: 8,
    });
    const next = asked(of.send(answer('yes')));
    expect(next.arguments).toMatchObject({ temperature: 0, seed: 7 });
    expect(JSON.stringify(next.arguments)).toContain('Bonn. b');
    expect(told(of.send(answer('no')))).toMatchObject({ result: { attempts: 3 } });
  });

  test('settled without an answer is escalated, settled with a doubted one is flagged', () => {
    const unanswered = start();
    unanswered.of.send(halt('unsure'));
    expect(told(unanswered.of.send({ type: 'settle' }))).toMatchObject({
      result: { verdict: 'escalated', output: null, reasons: ['unsure'] },
    });
    const doubted = start(doubting);
    expect(told(doubted.of.send(answer('maybe', 0.5)))).toMatchObject({ type: 'agent-doubt' });
    expect(told(doubted.of.send({ type: 'settle' }))).toMatchObject({
      result: { verdict: 'flagged', output: 'maybe', confidence: 0.5 },
    });
  });

  test('what is not the promised JSON is doubted', () => {
    const { of } = start({ agent: { output: { type: 'object' } } });
    expect(told(of.send(answer('{"a":')))).toMatchObject({ type: 'agent-doubt' });
  });
});

describe('tools', () => {
  const calling = { agent: { output: { type: 'object' }, tools: ['calc'] } };
  const call = '{"tool":"calc","args":{"a":21}}';

  test('a call becomes an intention, and its result part of the answer', () => {
    const { of } = start(calling);
    expect(asked(of.send(answer(call)))).toMatchObject({
      tag: 'tool',
      actuator: 'sandbox',
      arguments: { source: '21 * 2' },
    });
    expect(told(of.send(completed('tool', 42)))).toMatchObject({
      result: { verdict: 'accepted', output: { tool: 'calc', args: { a: 21 }, result: 42 } },
    });
  });

  test('a tool that fails flags the answer and says why', () => {
    const { of } = start(calling);
    of.send(answer(call));
    expect(told(of.send(failed('tool')))).toMatchObject({
      result: {
        verdict: 'flagged',
        output: { tool: 'calc', result: null },
        reasons: ['The tool failed: It broke.'],
      },
    });
  });

  test('a doubted call is not made, not even when it is settled', () => {
    const { of } = start({ agent: { ...calling.agent, ...doubting.agent } });
    expect(told(of.send(answer(call, 0.5)))).toMatchObject({ type: 'agent-doubt' });
    expect(told(of.send({ type: 'settle' }))).toMatchObject({ result: { verdict: 'flagged' } });
  });

  test('a call that is not granted is refused in words', () => {
    const { of } = start(calling);
    expect(told(of.send(answer('{"tool":"shell","args":{}}')))).toMatchObject({
      result: { verdict: 'flagged', reasons: [expect.stringContaining('shell')] },
    });
  });
});

describe('writing', () => {
  const writing = {
    step: { write: { path: '{{document.name}}.md', template: '{{steps.work.output}}!' } },
  };

  test('the file has the answer, and the result has both', () => {
    const { of } = start(writing);
    expect(asked(of.send(answer('Bonn')))).toMatchObject({
      tag: 'write',
      actuator: 'file',
      operation: 'write',
      effect: 'idempotent',
      arguments: { path: 'm.txt.md', text: 'Bonn!' },
    });
    expect(told(of.send(completed('write', { path: 'm.txt.md' })))).toMatchObject({
      result: { output: { path: 'm.txt.md', answer: 'Bonn' } },
    });
  });

  test('a file that cannot be written fails the agent', () => {
    const { of } = start(writing);
    of.send(answer('Bonn'));
    expect(told(of.send(failed('write', { code: 'DISK_FULL' })))).toMatchObject({
      type: 'agent-failed',
      error: { code: 'DISK_FULL' },
    });
  });

  test('a step without an agent only writes', () => {
    const { of, intentions } = start({ step: { agent: undefined, ...writing.step } });
    expect(asked(intentions)).toMatchObject({ tag: 'write' });
    expect(told(of.send(completed('write', { path: 'm.txt.md' })))).toMatchObject({
      result: { verdict: 'accepted', output: { path: 'm.txt.md' }, confidence: null, attempts: 0 },
    });
  });
});

describe('a cancel (A3)', () => {
  const whileCalling = () => {
    const { of } = start({ agent: { output: { type: 'object' }, tools: ['calc'] } });
    of.send(answer('{"tool":"calc","args":{"a":1}}'));
    return of;
  };
  const whileWriting = () => {
    const { of } = start({ step: { write: { path: 'p', template: 't' } } });
    of.send(answer('x'));
    return of;
  };

  test.each([
    ['generate', () => start().of],
    ['tool', whileCalling],
    ['write', whileWriting],
  ] as const)(
    'aborts the open %s intention and ends with its outcome, whatever it is',
    (tag, open) => {
      for (const last of [failed(tag), completed(tag, { status: 'completed', text: 'late' })]) {
        const of = open();
        expect(of.send({ type: 'cancel' })).toEqual([{ kind: 'abort', tag }]);
        expect(of.done).toBe(false);
        expect(told(of.send(last))).toEqual({ type: 'agent-cancelled', step: 'work' });
        expect(of.done).toBe(true);
      }
    },
  );

  test('while it waits for its supervisor ends it at once', () => {
    const { of } = start();
    of.send(halt('unsure'));
    expect(told(of.send({ type: 'cancel' }))).toEqual({ type: 'agent-cancelled', step: 'work' });
  });
});
