/**
 * Goal: no text reaches an agent whose clearance is below its label, by whatever way, and
 * everything else goes on. Method: whole runtimes whose model repeats what it is told, so
 * that a text that was told is found in prompts, events and results.
 */
import { expect, test } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { type Answer, lastText, sayWhole } from '../inference/endpoint-server.ts';
import {
  askedBy,
  expectEqual,
  labelledPipeline,
  labelledRun,
  publicName,
  resultsOf,
  secretMark,
  secretName,
  secretSentence,
  toldTo,
} from './labelled-runs.ts';

const low = { prompt: 'LOW: {{document.text}}', supervise: { retries: 0 } };
const high = { prompt: 'HIGH: {{document.text}}', clearance: 'secret', supervise: { retries: 0 } };

test('an agent without clearance is refused the secret text, and everything else goes on', async () => {
  const pipeline = labelledPipeline({
    agents: { low, high },
    steps: [
      { id: 'below', agent: 'low', map: 'documents' },
      { id: 'above', agent: 'high', map: 'documents' },
    ],
  });
  const { run, events, server } = await labelledRun(pipeline);
  expect(run).toMatchObject({ status: 'succeeded', progress: { handedToHuman: 1 } });
  expect(run.clearance).toEqual({
    levels: ['public', 'internal', 'confidential', 'secret'],
    documents: { secret: 1, public: 1 },
    agents: { low: 'public', high: 'secret' },
  });
  const below = resultsOf(events, 'below');
  expect(below[secretName]).toMatchObject({
    verdict: 'escalated',
    output: null,
    label: 'public',
    error: { code: 'CLEARANCE_INSUFFICIENT' },
    reasons: [
      'The agent low is cleared for public and reads document (secret); give it a higher clearance, or a prompt without it.',
    ],
  });
  expect(below[publicName]).toMatchObject({ verdict: 'accepted', label: 'public' });
  expect(resultsOf(events, 'above')[secretName]).toMatchObject({
    verdict: 'accepted',
    output: `HIGH: ${secretSentence}`,
    label: 'secret',
  });
  expect(toldTo(events, 'below')).not.toContain(secretMark);
  expect(toldTo(events, 'below')).toContain('"withheld":{"document":"secret"}');
  expect(askedBy(server, 'LOW')).not.toContain(secretMark);
  expect(askedBy(server, 'HIGH')).toContain(secretMark);
});

test('what is derived in two steps and a merge stays as secret as what it began with', async () => {
  const twice = { prompt: 'TWICE: {{steps.first.output}}', clearance: 'secret' };
  const lowTwice = { prompt: 'LOW: {{steps.second.output}}' };
  const merge = {
    prompt: 'MERGE: {{#each.statements}}[{{number}}] {{text}}\n{{/each.statements}}',
  };
  const reduce = { step: 'second' };
  const pipeline = labelledPipeline({
    agents: {
      high,
      twice,
      'low-twice': lowTwice,
      merger: { ...merge, clearance: 'secret' },
      'low-merger': { ...merge, prompt: `LOW: ${merge.prompt}` },
      namer: { prompt: 'LOW NAME: {{document.name}}' },
    },
    steps: [
      { id: 'first', agent: 'high', map: 'documents' },
      { id: 'second', agent: 'twice', map: 'documents', needs: ['first'] },
      { id: 'third', agent: 'low-twice', map: 'documents', needs: ['second'] },
      { id: 'name', agent: 'namer', map: 'documents' },
      { id: 'merged', agent: 'merger', needs: ['second'], reduce },
      { id: 'low-merged', agent: 'low-merger', needs: ['second'], reduce },
    ],
  });
  const { run, events, server } = await labelledRun(pipeline);
  expect(resultsOf(events, 'second')[secretName]).toMatchObject({ label: 'secret' });
  expect(resultsOf(events, 'second')[publicName]).toMatchObject({ label: 'public' });
  expect(resultsOf(events, 'third')[secretName]).toMatchObject({
    error: { code: 'CLEARANCE_INSUFFICIENT' },
  });
  expect(resultsOf(events, 'third')[publicName]).toMatchObject({ verdict: 'accepted' });
  expect(resultsOf(events, 'name')[secretName]).toMatchObject({
    output: `LOW NAME: ${secretName}`,
    label: 'public',
  });
  expect(resultsOf(events, 'merged')['']).toMatchObject({ label: 'secret' });
  expect(askedBy(server, 'MERGE')).toContain(secretMark);
  expect(run).toMatchObject({ status: 'failed', error: { code: 'CLEARANCE_INSUFFICIENT' } });
  expect(run.error?.message).toContain('items.second (secret)');
  for (const step of ['third', 'name', 'low-merged']) {
    expect(toldTo(events, step)).not.toContain(secretMark);
  }
  expect(askedBy(server, 'LOW')).not.toContain(secretMark);
});

test('a handover, whole or as a snapshot, is refused to whoever may not read what it came from', async () => {
  const tools = {
    look: { actuator: 'file', operation: 'list', parameters: [], arguments: {} },
  };
  const turns = { turns: 2, tools: ['look'] };
  const pipeline = labelledPipeline({
    tools,
    agents: {
      high: { ...high, ...turns },
      low: { ...low, prompt: 'LOW: go on', ...turns },
      next: { prompt: 'NEXT: go on', clearance: 'secret', ...turns },
    },
    steps: [
      { id: 'first', agent: 'high', map: 'documents' },
      ...(['context', 'snapshot'] as const).flatMap((as) => [
        {
          id: `low-${as}`,
          agent: 'low',
          map: 'documents',
          needs: ['first'],
          handoff: { from: 'first', as },
        },
        {
          id: `next-${as}`,
          agent: 'next',
          map: 'documents',
          needs: ['first'],
          handoff: { from: 'first', as },
        },
      ]),
    ],
  });
  const { events, server } = await labelledRun(pipeline as unknown as JsonObject);
  for (const as of ['context', 'snapshot']) {
    const refused = resultsOf(events, `low-${as}`)[secretName];
    expect(refused).toMatchObject({ error: { code: 'CLEARANCE_INSUFFICIENT' } });
    expect(resultsOf(events, `low-${as}`)[publicName]).toMatchObject({ verdict: 'accepted' });
    expect(resultsOf(events, `next-${as}`)[secretName]).toMatchObject({ label: 'secret' });
    expect(toldTo(events, `low-${as}`)).not.toContain(secretMark);
  }
  const asked = server.calls.map(({ body }) => JSON.stringify(body.messages));
  expect(asked.filter((each) => each.includes('NEXT') && each.includes(secretMark))).toHaveLength(
    2,
  );
  expect(asked.filter((each) => each.includes('LOW') && each.includes(secretMark))).toEqual([]);
});

const verdict = {
  type: 'object',
  properties: { supported: { type: 'boolean' } },
  required: ['supported'],
};

/** Repeats, and confirms whatever it is asked to examine. */
const confirming: Answer = (response, { body }) =>
  sayWhole(
    response,
    body.response_format === undefined ? lastText(body) : '{"supported":true,"accept":true}',
  );

test('a panel with a member that may not read the answer asks nobody', async () => {
  const member = (clearance?: string) => ({
    prompt: `${clearance === undefined ? 'LOW' : 'MEMBER'}: {{document.text}} Claim: {{answer}}`,
    output: verdict,
    ...(clearance === undefined ? {} : { clearance }),
  });
  const panel = (critic: string) => ({ ...high, validate: { pattern: 'critic', critic } });
  const pipeline = labelledPipeline({
    agents: {
      low: member(),
      cleared: member('secret'),
      'examined-low': panel('low'),
      'examined-high': panel('cleared'),
    },
    steps: [
      { id: 'one', agent: 'examined-low', map: 'documents' },
      { id: 'two', agent: 'examined-high', map: 'documents' },
    ],
  });
  const { events, server } = await labelledRun(pipeline, { answer: confirming });
  expect(resultsOf(events, 'one')[secretName]).toMatchObject({
    verdict: 'escalated',
    error: { code: 'CLEARANCE_INSUFFICIENT' },
  });
  expect(resultsOf(events, 'one')[publicName]).toMatchObject({ verdict: 'accepted' });
  expect(resultsOf(events, 'two')[secretName]).toMatchObject({
    verdict: 'accepted',
    label: 'secret',
  });
  expect(askedBy(server, 'MEMBER')).toContain(secretMark);
  expect(askedBy(server, 'LOW')).not.toContain(secretMark);
});

test('a critic that a rule names is refused like any other agent, and the next rule decides', async () => {
  const doubting = {
    ...high,
    output: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
    supervise: {
      retries: 0,
      rules: [
        { when: 'format', do: 'critic', agent: 'low-critic' },
        { when: 'format', do: 'human' },
      ],
    },
  };
  const accept = {
    type: 'object',
    properties: { accept: { type: 'boolean' } },
    required: ['accept'],
  };
  const pipeline = labelledPipeline({
    agents: { doubting, 'low-critic': { prompt: 'LOW: {{question}} {{answer}}', output: accept } },
    steps: [{ id: 'one', agent: 'doubting', map: 'documents' }],
  });
  const { events, server } = await labelledRun(pipeline as unknown as JsonObject, {
    answer: confirming,
  });
  const critics = events.filter(({ actor }) => actor.endsWith('/one.critic-1'));
  const [secret] = critics.filter(({ actor }) => actor.startsWith('run/document-1/'));
  expect(secret?.event.reading).toMatchObject({ refusal: { code: 'CLEARANCE_INSUFFICIENT' } });
  expect(JSON.stringify(critics)).not.toContain(secretMark);
  expect(askedBy(server, 'LOW')).not.toContain(secretMark);
  expect(resultsOf(events, 'one')[secretName]?.reasons).toEqual(
    expect.not.arrayContaining([expect.stringContaining(secretMark)]),
  );
});

test('grounding is searched among what the agent may read', async () => {
  // A person's name is asked for; the first answer is doubted, and the grounding looks for facts.
  const grounded = (clearance?: string) => ({
    prompt: `${clearance === undefined ? 'LOW' : 'HIGH'} about {{document.name}}: budget?`,
    output: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
    supervise: {
      retries: 1,
      grounding: `${clearance === undefined ? 'LOW' : 'HIGH'} facts: {{facts}}`,
    },
    ...(clearance === undefined ? {} : { clearance }),
  });
  const pipeline = labelledPipeline({
    agents: { low: grounded(), high: grounded('secret') },
    steps: [
      { id: 'below', agent: 'low', map: 'documents' },
      { id: 'above', agent: 'high', map: 'documents' },
    ],
  });
  const { events, server } = await labelledRun(pipeline as unknown as JsonObject);
  expect(askedBy(server, 'HIGH facts')).toContain(secretMark);
  expect(askedBy(server, 'LOW facts')).toContain('canteen');
  expect(askedBy(server, 'LOW facts')).not.toContain(secretMark);
  expect(toldTo(events, 'below')).not.toContain(secretMark);
  expect(resultsOf(events, 'above')[secretName]).toMatchObject({ label: 'secret' });
  expect(resultsOf(events, 'below')[secretName]).toMatchObject({ label: 'public' });
});

test('a file has the label of what was written to it, and is told to nobody below', async () => {
  const reading: Answer = (response, { body }) => {
    const [first] = body.messages;
    const mark = /^(LOW|NEXT) (\S+)/.exec(String(first?.content));
    if (mark === null) return sayWhole(response, lastText(body));
    const isFirst = body.messages.length === 1;
    const call = { tool: 'read', args: { path: `./notes//${mark[2]}` } };
    const told = { tool: 'none', answer: lastText(body) };
    return sayWhole(response, JSON.stringify(isFirst ? call : told));
  };
  const reader = (mark: string) => ({
    prompt: `${mark} {{document.name}}`,
    tools: ['read'],
    turns: 2,
    output: { type: 'object' },
  });
  const pipeline = labelledPipeline({
    tools: {
      read: {
        actuator: 'file',
        operation: 'read',
        parameters: ['path'],
        arguments: { path: '{{path}}' },
      },
    },
    agents: { high, low: reader('LOW'), next: { ...reader('NEXT'), clearance: 'secret' } },
    steps: [
      {
        id: 'note',
        agent: 'high',
        map: 'documents',
        write: { path: 'notes/{{document.name}}', template: '{{steps.note.output}}' },
      },
      { id: 'below', agent: 'low', map: 'documents', needs: ['note'] },
      { id: 'above', agent: 'next', map: 'documents', needs: ['note'] },
    ],
  });
  const { events, server, runtime, run, dataDirectory } = await labelledRun(
    pipeline as unknown as JsonObject,
    { answer: reading },
  );
  const below = resultsOf(events, 'below');
  expect(JSON.stringify(below[secretName])).toContain('has the label secret');
  expect(below[secretName]).toMatchObject({ label: 'public' });
  expect(JSON.stringify(below[publicName])).toContain('canteen');
  expect(JSON.stringify(resultsOf(events, 'above')[secretName])).toContain(secretMark);
  expect(resultsOf(events, 'above')[secretName]).toMatchObject({ label: 'secret' });
  expect(toldTo(events, 'below')).not.toContain(secretMark);
  expect(askedBy(server, 'LOW')).not.toContain(secretMark);

  // A fork has the labels of the files that it begins with.
  const at = events.findLast(
    ({ actor, event }) => actor.endsWith('/note') && event.type === 'outcome',
  );
  const fork = await runtime.fork(run.id, { at: at?.sequence ?? 0 });
  const forked = await runtime.ended(fork.id);
  const later = runtime.events(fork.id, { from: 1, limit: 1_000 });
  expect(JSON.stringify(resultsOf(later, 'below')[secretName])).toContain('has the label secret');
  expect(toldTo(later, 'below')).not.toContain(secretMark);
  await expectEqual(dataDirectory, forked);
});

test('a fork whose prompts read more is told no more', async () => {
  const named = { ...low, prompt: 'LOW: {{document.name}}' };
  const pipeline = labelledPipeline({
    agents: { named },
    steps: [{ id: 'below', agent: 'named', map: 'documents' }],
  });
  const { runtime, run, events, server, dataDirectory } = await labelledRun(pipeline);
  const started = events.filter(
    ({ actor, event }) => actor.endsWith('/below') && event.type === 'start',
  );
  for (const at of [1, started.at(-1)?.sequence ?? 0]) {
    const fork = await runtime.fork(run.id, { at, set: { prompt: low.prompt } });
    const forked = await runtime.ended(fork.id);
    const later = runtime.events(fork.id, { from: 1, limit: 1_000 });
    expect(toldTo(later, 'below')).not.toContain(secretMark);
    await expectEqual(dataDirectory, forked);
  }
  expect(askedBy(server, 'LOW')).not.toContain(secretMark);
});

test('from a level on a text is asked of models on this machine alone', async () => {
  const pipeline = labelledPipeline({
    clearance: { localOnlyFrom: 'confidential' },
    agents: { high },
    steps: [{ id: 'one', agent: 'high', map: 'documents' }],
  });
  const { events, server } = await labelledRun(pipeline);
  expect(resultsOf(events, 'one')[secretName]).toMatchObject({ verdict: 'escalated' });
  expect(resultsOf(events, 'one')[publicName]).toMatchObject({ verdict: 'accepted' });
  expect(JSON.stringify(server.calls)).not.toContain(secretMark);
});
