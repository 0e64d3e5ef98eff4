/** Conversations of fixed length: what the model says at each turn, and the files that it asks for. */
import type { JsonObject } from '../../src/kernel/json.ts';
import { TextSource } from './text.ts';

export interface Workload {
  readonly name: string;
  /** Generations; the last one answers. */
  readonly calls: number;
  /** Content of the workspace by path. */
  readonly files: ReadonlyMap<string, string>;
  /** The model's answer at each call. */
  readonly answers: readonly string[];
}

/** The usual estimate for English and code; what a prompt has in bytes is divided by it. */
export const bytesPerToken = 4;

/** An agent that reads notes until its prompt has `tokens` tokens. */
export function readingWorkload(calls: number, tokens: number): Workload {
  const source = new TextSource(1);
  const files = new Map<string, string>();
  const answers: string[] = [];
  const reads = calls - 1;
  const bytes = tokens * bytesPerToken;
  let total = 0;
  for (let turn = 0; turn < reads; turn += 1) {
    const path = `notes-${turn}.md`;
    const answer = JSON.stringify({
      thought: source.prose(300),
      tool: 'read',
      args: { path },
    });
    // Each turn takes its share of what is left.
    const size = Math.round((bytes - total) / (reads - turn)) - answer.length;
    files.set(path, source.prose(size));
    answers.push(answer);
    total += answer.length + size;
  }
  answers.push(JSON.stringify({ tool: 'none', answer: source.prose(400) }));
  return { name: 'reading', calls, files, answers };
}

/** An agent that reads code, edits it and runs a check, over and over. */
export function codingWorkload(calls: number): Workload {
  const source = new TextSource(2);
  const files = new Map<string, string>();
  const answers = Array.from({ length: calls - 1 }, (_, turn) => {
    const path = `module-${turn}.ts`;
    const thought = source.prose(200 + source.integer(600));
    switch (turn % 3) {
      case 0:
        files.set(path, source.code(6_000 + source.integer(16_000)));
        return JSON.stringify({ thought, tool: 'read', args: { path } });
      case 1:
        return JSON.stringify({
          thought,
          tool: 'edit',
          args: { path, text: source.code(1_000 + source.integer(3_000)) },
        });
      default:
        return JSON.stringify({ thought, tool: 'check', args: { name: `case-${turn}` } });
    }
  });
  answers.push(JSON.stringify({ tool: 'none', answer: source.prose(400) }));
  return { name: 'coding', calls, files, answers };
}

/** Prints what a test runner would. */
const checkScript = `Array.from({ length: 40 }, (_, index) => {
  const verdict = (index * 7919) % 13 === 0 ? 'failed' : 'passed';
  return ['{{name}}', index, verdict, 'in', (index * 104729) % 997, 'ms'].join(' ');
}).join('\\n')`;

export function pipelineOf({ name, calls }: Workload, workspace: string): JsonObject {
  return {
    name,
    input: { workspace },
    agents: {
      worker: {
        system: 'You work with the files of a workspace. Answer in JSON.',
        prompt: '{{document.text}}',
        tools: ['read', 'edit', 'check'],
        turns: calls,
        output: { type: 'object' },
        limits: { maxTokens: 1_024 },
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
      edit: {
        actuator: 'file',
        operation: 'write',
        parameters: ['path', 'text'],
        arguments: { path: '{{path}}', text: '{{text}}' },
      },
      check: {
        actuator: 'sandbox',
        operation: 'run',
        parameters: ['name'],
        arguments: { source: checkScript },
      },
    },
    steps: [{ id: 'work', agent: 'worker', map: 'documents' }],
  };
}
