import { describe, expect, test } from 'vitest';
import { actorProfile } from '../../src/actors/actor-profile.ts';
import type { ActorEvent } from '../../src/actors/event.ts';
import type { PipelineDefinition } from '../../src/actors/pipeline-definition.ts';
import { mayTell } from '../../src/actors/topic-permissions.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { parsePipelineObject } from '../../src/runtime/pipeline-file.ts';

const definition: PipelineDefinition = parsePipelineObject(
  {
    name: 'demo',
    tools: {
      look: {
        description: 'reads a file',
        actuator: 'file',
        operation: 'read',
        parameters: ['path'],
        arguments: { path: '{{path}}' },
      },
    },
    agents: {
      reader: { prompt: '{{document.text}}', tools: ['look'] },
      plain: { prompt: '{{document.text}}' },
    },
    steps: [
      { id: 'read', agent: 'reader', map: 'documents' },
      {
        id: 'plain',
        agent: 'plain',
        map: 'documents',
        write: { path: 'a.txt', template: 'x', append: true },
      },
    ],
  },
  { knownChecks: [] },
);

const tells = (from: string, to: string, type: ActorEvent['type']) =>
  mayTell({ from, to: actorId(to), event: { type } });

describe('who may tell whom what', () => {
  test.each<[string, string, ActorEvent['type']]>([
    ['@runtime', 'run', 'start'],
    ['@runtime', 'run', 'cancel'],
    ['run', 'run/document-1', 'start'],
    ['run/document-1', 'run', 'document-done'],
    ['run/document-1', 'run/document-1/supervisor', 'run-step'],
    ['run/document-1/supervisor', 'run/document-1', 'step-done'],
    ['run/document-1/supervisor', 'run/document-1/supervisor/read', 'retry'],
    ['run/document-1/supervisor/read.2', 'run/document-1/supervisor', 'agent-done'],
    ['run/document-1/supervisor/read.critic-1', 'run/document-1/supervisor', 'agent-done'],
    ['run/supervisor/read', 'run/supervisor/read/panel-1-1', 'start'],
    ['run/supervisor/read/panel-1-1', 'run/supervisor/read', 'panel-done'],
  ])('%s tells %s %s', (from, to, type) => {
    expect(tells(from, to, type)).toBe(true);
  });

  test.each<[string, string, ActorEvent['type'], string]>([
    ['run/document-1', 'run/document-2', 'start', 'a brother'],
    ['run/document-1/supervisor/read', 'run/document-2/supervisor', 'agent-done', 'an uncle'],
    ['run/document-1/supervisor/read', 'run', 'document-done', 'a grandfather'],
    ['run/document-1/supervisor/read', 'run/document-1/supervisor', 'run-step', 'another word'],
    ['run/document-1/supervisor', 'run/document-1/supervisor', 'run-step', 'itself'],
    ['@runtime', 'run/document-1/supervisor', 'run-step', 'the runtime, past its pipeline'],
    ['@runtime', 'run/document-1/supervisor/read', 'retry', 'the runtime, past its supervisor'],
    ['run/document-1', 'run/document-1/evil', 'start', 'no actor of that name'],
    ['run', 'run/document-1/supervisor', 'start', 'a grandchild'],
    ['elsewhere', 'run', 'document-done', 'a stranger'],
    ['', 'run', 'start', 'nobody'],
  ])('%s does not tell %s %s: %s', (from, to, type) => {
    expect(tells(from, to, type)).toBe(false);
  });
});

describe('what an actor may ask for', () => {
  const of = (actor: string) => [...(actorProfile(definition, actor)?.operations ?? [])].sort();

  test('an agent: its model, its own tools, and what its step writes', () => {
    expect(of('run/document-1/supervisor/read')).toEqual(['file.read', 'inference.generate']);
    expect(of('run/document-1/supervisor/read.3')).toEqual(['file.read', 'inference.generate']);
    expect(of('run/document-7/supervisor/plain')).toEqual(['file.append', 'inference.generate']);
  });

  test.each(['', 'evil', 'run/evil', 'run/document-1/supervisor/read/x', 'run/supervisor/../run'])(
    'a name that no actor has, %j, nothing',
    (actor) => expect(of(actor)).toEqual([]),
  );
});
