/** Who an actor of a run is by its name. */
import { describe, expect, test } from 'vitest';
import { actorProfile } from '../../src/actors/actor-profile.ts';
import { pipelineDefinitionSchema } from '../../src/actors/pipeline-definition.ts';

const accept = { type: 'object', properties: { accept: { type: 'boolean' } } };
const common = {
  name: 'p',
  tools: { look: { actuator: 'file', operation: 'read', parameters: [], arguments: {} } },
  agents: {
    reader: {
      prompt: 'x',
      clearance: 'internal',
      tools: ['look'],
      validate: { pattern: 'code', agent: 'coder' },
      supervise: { rules: [{ when: 'format', do: 'critic', agent: 'critic' }] },
    },
    critic: { prompt: 'x', clearance: 'secret', output: accept },
    coder: { prompt: 'x', clearance: 'secret' },
    plain: { prompt: 'x' },
  },
  steps: [
    { id: 'read', agent: 'reader', map: 'documents', write: { path: 'a', template: 'b' } },
    { id: 'next', agent: 'plain', map: 'documents' },
    { id: 'report', write: { path: 'a', template: 'b', append: true } },
  ],
};
const definition = pipelineDefinitionSchema.parse(common);

function profile(actor: string) {
  const found = actorProfile(definition, actor);
  return found === null ? null : { ...found, clearance: found.clearance?.of };
}

test.each([
  ['run', 'pipeline', 'secret', ['blobs.read']],
  ['run/document-12', 'pipeline', 'secret', ['blobs.read']],
  ['run/document-1/supervisor', 'supervisor', 'secret', ['clock.wake', 'human.decide']],
  [
    'run/document-1/supervisor/read',
    'agent',
    'internal',
    ['inference.generate', 'file.read', 'file.write'],
  ],
  [
    'run/document-1/supervisor/read.2',
    'agent',
    'internal',
    ['inference.generate', 'file.read', 'file.write'],
  ],
  ['run/document-1/supervisor/next', 'agent', 'public', ['inference.generate']],
  ['run/supervisor/report', 'agent', 'secret', ['file.append']],
  // Nobody who examines an answer has a higher clearance than whoever gave it.
  ['run/document-1/supervisor/read.critic-1', 'critic', 'internal', ['inference.generate']],
  [
    'run/document-1/supervisor/read/panel-1-1',
    'panel',
    'internal',
    ['inference.generate', 'sandbox.run'],
  ],
] as const)('%s is a %s that is cleared for %s', (actor, kind, clearance, operations) => {
  expect(profile(actor)).toMatchObject({ kind, clearance, operations });
});

test.each([
  'other',
  'run/x',
  'run/supervisor/none',
  'run/document-1/supervisor/next.critic-1',
  'run/document-1/supervisor/next/panel-1-1',
  'run/document-1/supervisor/read/other',
  'run/document-1/supervisor/read/panel-1-1/more',
  'run/document-1/document-1/supervisor/read',
  'run/document-1/supervisor/read.critic-x',
])('%s is nobody', (actor) => {
  expect(profile(actor)).toBeNull();
});

describe('without labels', () => {
  test('nobody has a clearance', () => {
    const { agents, ...rest } = common;
    const unlabelled = Object.fromEntries(
      Object.entries(agents).map(([name, agent]) => [name, { ...agent, clearance: undefined }]),
    );
    const plain = pipelineDefinitionSchema.parse({ ...rest, agents: unlabelled });
    for (const actor of [
      'run',
      'run/document-1/supervisor/read',
      'run/document-1/supervisor/read.critic-1',
    ]) {
      expect(actorProfile(plain, actor)?.clearance).toBeNull();
    }
  });
});
