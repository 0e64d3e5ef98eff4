/** Which tools of a pipeline may have a document mounted. */
import { expect, test } from 'vitest';
import { parsePipelineObject } from '../../src/runtime/pipeline-file.ts';

function parse(tool: object) {
  const definition = {
    name: 'demo',
    agents: { worker: { prompt: 'x', tools: ['count'] } },
    tools: { count: { parameters: [], ...tool } },
    steps: [{ id: 'work', agent: 'worker', map: 'documents' }],
  };
  return parsePipelineObject(definition, { knownChecks: [] });
}

test('those of the sandbox', () => {
  const run = { actuator: 'sandbox', operation: 'run', arguments: { source: '1' } };
  expect(parse({ ...run, mount: 'document' }).tools.count?.mount).toBe('document');
  expect(parse(run).tools.count).not.toHaveProperty('mount');
  const script = { ...run, operation: 'script', arguments: { source: ':', language: 'sh' } };
  expect(parse({ ...script, mount: 'document' }).tools.count?.operation).toBe('script');
  const read = { actuator: 'file', operation: 'read', arguments: { path: 'a' } };
  expect(() => parse({ ...read, mount: 'document' })).toThrow(/only a tool of the sandbox/);
  expect(() => parse({ ...run, mount: 'everything' })).toThrow();
});
