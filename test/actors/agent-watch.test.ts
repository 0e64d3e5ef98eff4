/** Detectors over a run's events, through the agent's machine. */
import { describe, expect, test } from 'vitest';
import type { Intention } from '../../src/actors/intention.ts';
import { stateToJson } from '../../src/actors/step.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { answer, completed, definitionText, failed, result, started } from './machines.ts';

const letter = 'The rent rises to 1,200 EUR in May. The lift is broken.';

function start(agent: object, steps: object = {}) {
  const definition = definitionText({
    name: 'demo',
    agents: { worker: { prompt: 'Sum up: {{document.text}}', ...agent } },
    tools: {
      read: {
        actuator: 'file',
        operation: 'read',
        parameters: ['path'],
        arguments: { path: '{{path}}' },
      },
    },
    steps: [{ id: 'work', agent: 'worker', map: 'documents' }],
  });
  return started('agent', {
    type: 'start',
    machine: 'agent',
    self: actorId('run/supervisor/work'),
    parent: actorId('run/supervisor'),
    definition,
    seed: 7,
    step: 'work',
    variables: {
      document: { name: 'm.txt', text: letter, part: 0 },
      steps: JSON.stringify(steps),
      items: null,
      run: { name: 'demo', seed: 7 },
    },
  });
}

function sent(intentions: readonly Intention[]) {
  const [intention] = intentions;
  if (intention?.kind !== 'send') throw new Error('a send is expected');
  return intention.event;
}

const searcher = { tools: ['read'], turns: 20, output: { type: 'object' } };
const read = (path: string) => answer(JSON.stringify({ tool: 'read', args: { path } }));

describe('calls of a conversation', () => {
  test('that go round are doubted before the next is made', () => {
    const { of } = start({ ...searcher, supervise: { toolLoop: 3 } });
    for (let turn = 0; turn < 2; turn += 1) {
      expect(of.send(read('a.txt'))).toMatchObject([{ operation: 'read' }]);
      of.send(completed('tool', { text: 'x' }));
    }
    const evidence = 'The tool read is called with the same arguments 3 times in a row.';
    expect(sent(of.send(read('a.txt')))).toMatchObject({
      type: 'agent-doubt',
      detector: 'tool-loop',
      reasons: [evidence],
    });
    // Another call after the doubt is made.
    of.send({ type: 'retry', attempt: 1, temperature: 0.4, seed: 8, grounding: null });
    expect(of.send(read('b.txt'))).toMatchObject([{ operation: 'read' }]);
  });

  test('that keep failing are doubted; refused ones count, and each element begins anew', () => {
    const { of } = start({ ...searcher, supervise: { failingCalls: 2 } });
    of.send(read('gone.txt'));
    of.send(failed('tool'));
    of.send(answer('{"tool":"rm","args":{}}'));
    expect(sent(of.send(read('b.txt')))).toMatchObject({
      detector: 'failing-calls',
      reasons: ['The last 2 calls failed, and read is called next.'],
    });
  });

  test('are not kept where nobody watches them', () => {
    const { of } = start(searcher);
    of.send(read('a.txt'));
    of.send(completed('tool', { text: 'x' }));
    expect(JSON.stringify(stateToJson(of.state))).not.toContain('"calls"');
  });
});

describe('an answer', () => {
  test('that contradicts the document is doubted', () => {
    const { of } = start({ supervise: { contradiction: true } });
    expect(sent(of.send(answer('The rent rises to 2,100 EUR.')))).toMatchObject({
      type: 'agent-doubt',
      detector: 'contradiction',
      reasons: [expect.stringContaining('"2,100 EUR"; the document says: The rent rises')],
    });
    expect(start({}).of.send(answer('The rent rises to 2,100 EUR.'))).toMatchObject([
      { event: { type: 'agent-done', result: { verdict: 'accepted' } } },
    ]);
  });

  test('is held against accepted results of earlier steps too', () => {
    const steps = { before: result({ output: 'The deposit of Keller is 500 EUR.' }) };
    const { of } = start({ supervise: { contradiction: true } }, steps);
    expect(sent(of.send(answer('The deposit of Keller is 50 EUR.')))).toMatchObject({
      reasons: [expect.stringContaining('the step before says')],
    });
  });

  test('that lacks the words of a pin is doubted', () => {
    const pins = ['Be brief.', { text: 'Name {{document.name}}.', words: ['m.txt'] }];
    const { of, intentions } = start({
      system: 'You help.',
      pins,
      supervise: { forgetting: true },
    });
    expect(intentions).toMatchObject([
      {
        arguments: {
          messages: [
            { role: 'system', content: 'You help.\n\nBe brief.\n\nName m.txt.' },
            { role: 'user', content: `Sum up: ${letter}` },
          ],
        },
      },
    ]);
    expect(sent(of.send(answer('The rent rises.')))).toMatchObject({
      detector: 'forgetting',
      reasons: ['The answer lacks "m.txt", of the objective: Name m.txt.'],
    });
    const retried = of.send({
      type: 'retry',
      attempt: 1,
      temperature: 0,
      seed: 8,
      grounding: 'Once more.',
    });
    // A repetition has another prompt, and still the pins.
    expect(retried).toMatchObject([
      {
        arguments: {
          messages: [
            { content: expect.stringContaining('Name m.txt.') },
            { content: 'Once more.' },
          ],
        },
      },
    ]);
    expect(sent(of.send(answer('m.txt: the rent rises.')))).toMatchObject({ type: 'agent-done' });
  });

  test('pins are items of their own in a conversation', () => {
    const { intentions } = start({ ...searcher, pins: ['Be brief.'] });
    expect(intentions).toMatchObject([
      {
        arguments: {
          context: {
            parent: null,
            items: [{ role: 'system', content: 'Be brief.', pin: true }, { role: 'user' }],
          },
        },
      },
    ]);
  });
});
