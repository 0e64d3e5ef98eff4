/** Labels inside the machines of agents and panels: what raises one, and what another definition does. */
import { describe, expect, test } from 'vitest';
import type { StartAgentEvent, StartPanelEvent, StepVariables } from '../../src/actors/event.ts';
import type { ActIntention, Intention } from '../../src/actors/intention.ts';
import { stateToJson } from '../../src/actors/step.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { answer, completed, definitionText, failed, type Stepped, started } from './machines.ts';

const self = actorId('run/supervisor/work');
const parent = actorId('run/supervisor');
const verdict = { type: 'object', properties: { supported: { type: 'boolean' } } };

const variables: StepVariables = {
  document: { name: 'm.txt', text: 'inner words', part: 0, label: 'internal' },
  steps: '{}',
  items: null,
  run: { name: 'p', seed: 1 },
};

interface Given {
  readonly agent?: object;
  readonly critic?: object;
}

function definition({ agent = {}, critic = {} }: Given): string {
  return definitionText({
    name: 'p',
    input: { defaultLabel: 'public' },
    tools: {
      read: { actuator: 'file', operation: 'read', parameters: [], arguments: { path: 'a' } },
    },
    agents: {
      worker: { prompt: 'Say A.', clearance: 'secret', ...agent },
      critic: { prompt: '{{answer}}?', output: verdict, clearance: 'secret', ...critic },
    },
    steps: [{ id: 'work', agent: 'worker', map: 'documents' }],
  });
}

function agentOf(given: Given, label = 'public') {
  const event: StartAgentEvent = {
    ...{ type: 'start', machine: 'agent', self, parent, seed: 1, step: 'work', variables },
    definition: definition(given),
    reading: { clearance: 'secret', label, withheld: {} },
  };
  return started('agent', event);
}

function onlyAct(intentions: readonly Intention[]): ActIntention {
  const [act] = intentions;
  if (intentions.length !== 1 || act?.kind !== 'act') throw new Error('one act is expected');
  return act;
}

function amend(of: Stepped, given: Given): readonly Intention[] {
  return of.send({ type: 'amend', definition: definition(given) });
}

describe('an agent', () => {
  test('says the label of what it asks, calls and makes', () => {
    const { of, intentions } = agentOf({ agent: { tools: ['read'] } }, 'internal');
    expect(onlyAct(intentions).arguments).toMatchObject({ label: 'internal' });
    const called = of.send(answer('no call'));
    expect(called).toMatchObject([
      { event: { type: 'agent-done', result: { label: 'internal' } } },
    ]);
  });

  test('has the label of what a tool told it, in its next question and its result', () => {
    const output = { type: 'object' };
    const { of } = agentOf({ agent: { tools: ['read'], turns: 3, output } });
    expect(onlyAct(of.send(answer('{"tool":"read"}'))).arguments).toEqual({
      path: 'a',
      label: 'public',
    });
    const told = { path: 'a', text: 'x', bytes: 1, label: 'confidential' };
    expect(onlyAct(of.send(completed('tool', told))).arguments).toMatchObject({
      label: 'confidential',
    });
    expect(of.send(answer('{"tool":"none"}'))).toMatchObject([
      { event: { type: 'agent-done', result: { label: 'confidential' } } },
    ]);
  });

  test('has it without turns as well, and hands it to whoever takes its place', () => {
    const output = { type: 'object' };
    const once = agentOf({ agent: { tools: ['read'], output } });
    once.of.send(answer('{"tool":"read"}'));
    const told = completed('tool', { path: 'a', text: 'x', bytes: 1, label: 'secret' });
    expect(once.of.send(told)).toMatchObject([{ event: { result: { label: 'secret' } } }]);

    const turns = agentOf({ agent: { tools: ['read'], turns: 3, output } });
    turns.of.send(answer('{"tool":"read"}'));
    turns.of.send(told);
    expect(turns.of.send(failed('generate'))).toMatchObject([
      { event: { type: 'agent-failed', label: 'secret', progress: { label: 'secret' } } },
    ]);
  });

  test('has the label of what others have said about its doubt', () => {
    const { of } = agentOf({ agent: { output: { type: 'object' } } });
    expect(of.send(answer('no json'))).toMatchObject([
      { event: { type: 'agent-doubt', label: 'public' } },
    ]);
    const again = { type: 'retry', attempt: 1, temperature: 0, seed: 2, grounding: 'x' } as const;
    const asked = of.send({ ...again, label: 'internal' });
    expect(onlyAct(asked).arguments).toMatchObject({ label: 'internal' });
  });

  test('has a higher label once another definition lets it read more of what it has', () => {
    const { of } = agentOf({});
    const asked = amend(of, { agent: { prompt: '{{document.text}}' } });
    expect(onlyAct(asked).arguments).toMatchObject({
      label: 'internal',
      messages: [{ content: 'inner words' }],
    });
    // And keeps it when the next one reads less.
    expect(onlyAct(amend(of, {})).arguments).toMatchObject({ label: 'internal' });
  });

  test('of a pipeline without labels has none, nor has anything that it makes', () => {
    const plain = definitionText({
      name: 'p',
      agents: { worker: { prompt: 'Say A.' } },
      steps: [{ id: 'work', agent: 'worker' }],
    });
    const { document: _document, ...rest } = variables;
    const { of, intentions } = started('agent', {
      ...{ type: 'start', machine: 'agent', self, parent, seed: 1, step: 'work' },
      definition: plain,
      variables: { ...rest, document: null },
    });
    const ended = of.send(answer('A'));
    expect(JSON.stringify([intentions, ended, stateToJson(of.state)])).not.toContain('label');
  });
});

describe('a panel', () => {
  const panelOf = (given: Given) => {
    const event: StartPanelEvent = {
      ...{ type: 'start', machine: 'panel', self, parent, seed: 1, step: 'work', variables },
      definition: definition({
        ...given,
        agent: { validate: { pattern: 'critic', critic: 'critic' } },
      }),
      each: null,
      question: 'Say A.',
      asked: [{ role: 'user', content: 'Say A.' }],
      answer: 'A',
      label: 'internal',
    };
    return started('panel', event);
  };
  const amendPanel = (of: Stepped, critic: object) =>
    amend(of, { critic, agent: { validate: { pattern: 'critic', critic: 'critic' } } });

  test('asks and finds under one label, at least that of what it examines', () => {
    const { of, intentions } = panelOf({});
    const { tag, arguments: asked } = onlyAct(intentions);
    expect(asked).toMatchObject({ label: 'internal' });
    const said = {
      status: 'completed',
      text: '{"supported":true}',
      minConfidence: 0.9,
      halt: null,
    };
    expect(of.send(completed(tag, said))).toMatchObject([
      { event: { type: 'panel-done', label: 'internal' } },
    ]);
  });

  test('fails at once where a member may not read the answer', () => {
    const { of, intentions } = panelOf({ critic: { clearance: 'public' } });
    expect(intentions).toMatchObject([
      { event: { type: 'panel-failed', error: { code: 'CLEARANCE_INSUFFICIENT' } } },
    ]);
    expect(of.done).toBe(true);
  });

  test('asks a member that reads nothing of it', () => {
    const blind = { clearance: 'public', prompt: 'Is it noon?' };
    const { intentions } = panelOf({ critic: blind });
    expect(onlyAct(intentions).arguments).toMatchObject({ messages: [{ content: 'Is it noon?' }] });
  });

  test('stops once another definition would show a member what it may not read', () => {
    const blind = { clearance: 'public', prompt: 'Is it noon?' };
    const { of, intentions } = panelOf({ critic: blind });
    const { tag } = onlyAct(intentions);
    const seeing = { ...blind, prompt: '{{document.text}}?' };
    expect(amendPanel(of, seeing)).toEqual([{ kind: 'abort', tag }]);
    expect(of.send(failed(tag))).toMatchObject([
      { event: { type: 'panel-failed', error: { code: 'CLEARANCE_INSUFFICIENT' } } },
    ]);
  });

  test('asks again under another definition that members may follow', () => {
    const { of } = panelOf({});
    const again = amendPanel(of, { prompt: '{{document.text}} {{answer}}?' });
    expect(onlyAct(again).arguments).toMatchObject({
      label: 'internal',
      messages: [{ content: 'inner words A?' }],
    });
  });
});
