/** A pipeline whose agent reads files and calculates until it knows, and a server that plays the model. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../src/kernel/json.ts';
import type { StartRunRequest } from '../../src/runtime/views.ts';
import { testFolder } from './running.ts';

export const longText = Array.from({ length: 60 }, (_, line) => `line ${line} of notes`).join('\n');

/** Long enough to be a text of its own that only the context names. */
const rules = 'You search files, and answer in JSON. '.repeat(20).trim();

function searchPipeline(workspace: string, agent: JsonObject = {}): JsonObject {
  return {
    name: 'search',
    input: { workspace },
    agents: {
      searcher: {
        system: rules,
        prompt: 'Find: {{document.text}}',
        tools: ['read', 'calc'],
        turns: 8,
        output: { type: 'object' },
        supervise: { retries: 1, grounding: 'Once more: {{document.text}}' },
        ...agent,
      },
    },
    tools: {
      read: {
        actuator: 'file',
        operation: 'read',
        parameters: ['path'],
        arguments: { path: '{{path}}' },
        result: '{{result.text}}',
      },
      calc: {
        actuator: 'sandbox',
        operation: 'run',
        parameters: ['a', 'b'],
        arguments: { source: '({ sum: {{a}} + {{b}}, of: 2 })' },
      },
    },
    steps: [{ id: 'find', agent: 'searcher', map: 'documents' }],
  };
}

/** What the model says, turn by turn. */
export const script: readonly string[] = [
  '{"tool":"read","args":{"path":"notes.txt"}}',
  '{"tool":"calc","args":{"a":20,"b":22}}',
  '{"tool":"read","args":{"path":"gone.txt"}}',
  '{"tool":"none","answer":"42"}',
];

/** The whole prompt of each turn of `script`, as one who knows the files would write it. */
export function expectedPrompts(text: string): string[][] {
  const results = [
    `Result of read:\n${longText}`,
    'Result of calc:\n{"of":2,"sum":42}',
    'Result of read:\nThe call failed: There is no file "gone.txt" in the workspace; check the path.',
  ];
  const begin = [rules, `Find: ${text}`];
  return script.map((_, turn) => [
    ...begin,
    ...results.slice(0, turn).flatMap((result, index) => [script[index] ?? '', result]),
  ]);
}

export interface SearchDesk {
  readonly dataDirectory: string;
  readonly workspace: string;
  readonly request: StartRunRequest;
}

export function makeSearch(texts: readonly string[], agent: JsonObject = {}): SearchDesk {
  const folder = testFolder();
  const [input, workspace] = [join(folder, 'input'), join(folder, 'workspace')];
  for (const path of [input, workspace]) if (!existsSync(path)) mkdirSync(path);
  writeFileSync(join(workspace, 'notes.txt'), longText);
  texts.forEach((text, index) => {
    writeFileSync(join(input, `m${index}.txt`), text);
  });
  const pipeline = searchPipeline(workspace, agent);
  return {
    dataDirectory: join(folder, 'data'),
    workspace,
    request: { pipeline, input: { folder: input }, seed: 3 },
  };
}
