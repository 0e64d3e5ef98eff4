/** What `validate` of an agent may name. */
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { parsePipelineObject } from '../../src/runtime/pipeline-file.ts';

const verdict = { type: 'object', properties: { supported: { type: 'boolean' } } };

function parse(agents: JsonObject) {
  const definition = {
    name: 'demo',
    agents,
    tools: {
      calc: { actuator: 'sandbox', operation: 'run', parameters: [], arguments: { source: '1' } },
    },
    steps: [{ id: 'work', agent: 'worker', map: 'documents' }],
  };
  return parsePipelineObject(definition, { knownChecks: [] });
}

function refusal(agents: JsonObject): unknown {
  try {
    parse(agents);
  } catch (error) {
    return error;
  }
  throw new Error('the pipeline is refused');
}

function worker(validate: JsonObject, more: JsonObject = {}): JsonObject {
  return { prompt: 'Q: {{document.text}}', validate, ...more };
}

const critic = { prompt: '{{question}} {{answer}} {{document.name}}', output: verdict };

describe('a pipeline that validates', () => {
  test('names agents that exist and decide by a property of their answers', () => {
    const { agents } = parse({
      worker: worker({ pattern: 'debate', opponents: ['one', 'two'], judge: 'judge', rounds: 3 }),
      one: { prompt: '{{answer}} {{#debate}}{{words}}{{/debate}}' },
      two: { prompt: '{{answer}} {{debate}}' },
      judge: { prompt: '{{debate}}', output: verdict },
    });
    expect(agents.worker?.validate).toMatchObject({ rounds: 3, accept: 'supported' });
    expect(parse({ worker: worker({ pattern: 'vote' }) }).agents.worker?.validate).toEqual({
      pattern: 'vote',
      samples: 5,
      temperature: 0.7,
      agreement: 0.6,
    });
  });

  test('may tell the doubts in the prompt of a retry', () => {
    const supervise = { grounding: '{{#reasons}}{{.}} {{/reasons}}{{facts}} {{results}}' };
    expect(() => parse({ worker: worker({ pattern: 'vote' }, { supervise }) })).not.toThrow();
  });
});

describe('refused with the place', () => {
  const judged = { pattern: 'critic', critic: 'critic' };

  test.each<[string, JsonObject, JsonObject]>([
    [
      'a critic that does not exist',
      { worker: worker({ ...judged, critic: 'nobody' }) },
      {
        code: 'PIPELINE_UNKNOWN_REFERENCE',
        message: 'agents.worker.validate.critic: there is no agent "nobody"; there are worker',
      },
    ],
    [
      'an agent that examines itself',
      { worker: worker({ ...judged, critic: 'worker' }, { output: verdict }) },
      { code: 'PIPELINE_CYCLE', message: 'agents examine each other in a circle: worker → worker' },
    ],
    [
      'agents that examine each other',
      {
        worker: worker(judged),
        critic: { ...critic, validate: { pattern: 'critic', critic: 'other' } },
        other: { ...critic, validate: { pattern: 'code', agent: 'critic' } },
      },
      { code: 'PIPELINE_CYCLE', message: 'critic → other → critic' },
    ],
    [
      'a critic with a panel of its own',
      { worker: worker(judged), critic: { ...critic, validate: { pattern: 'vote' } } },
      { code: 'PIPELINE_INVALID', message: 'so it has no validate of its own' },
    ],
    [
      'a critic with tools',
      { worker: worker(judged), critic: { ...critic, tools: ['calc'] } },
      { code: 'PIPELINE_INVALID', message: 'so it has no tools of its own' },
    ],
    [
      'a judge without a schema',
      { worker: worker({ ...judged, judge: 'judge' }), critic, judge: { prompt: '{{critique}}' } },
      {
        code: 'PIPELINE_INVALID',
        message: 'agents.worker.validate.judge: the agent "judge" decides by supported',
      },
    ],
    [
      'a critic whose answer has no such property',
      { worker: worker({ ...judged, accept: 'fine' }), critic },
      { code: 'PIPELINE_INVALID', message: 'the answer of "critic" has no fine' },
    ],
    [
      'a vote in a conversation',
      { worker: worker({ pattern: 'vote' }, { turns: 3, tools: ['calc'] }) },
      { code: 'PIPELINE_INVALID', message: 'a vote asks one question again' },
    ],
    [
      'a path in a text',
      { worker: worker({ pattern: 'vote', compare: 'route' }) },
      { code: 'PIPELINE_INVALID', message: 'without an output schema is text' },
    ],
    [
      'no program',
      { worker: worker({ pattern: 'code' }) },
      { code: 'PIPELINE_INVALID', message: 'there is no program' },
    ],
    [
      'a pattern that does not exist',
      { worker: worker({ pattern: 'oracle' }) },
      { code: 'PIPELINE_INVALID', message: 'agents.worker.validate' },
    ],
    [
      'more rounds than there may be',
      {
        worker: worker({ pattern: 'debate', opponents: ['one', 'one'], judge: 'one', rounds: 99 }),
      },
      { code: 'PIPELINE_INVALID', message: 'agents.worker.validate.rounds' },
    ],
    [
      'a critique where nobody objects before',
      { worker: worker(judged), critic: { ...critic, prompt: '{{critique}}' } },
      { code: 'PIPELINE_UNKNOWN_REFERENCE', message: 'there is no variable "critique" here' },
    ],
    [
      'an answer in the prompt of who gives it',
      { worker: worker(judged, { prompt: '{{answer}}' }), critic },
      { code: 'PIPELINE_UNKNOWN_REFERENCE', message: 'there is no variable "answer" here' },
    ],
  ])('%s', (_, agents, { code, message }) => {
    expect(refusal(agents)).toMatchObject({
      code,
      message: expect.stringContaining(String(message)),
    });
  });
});
