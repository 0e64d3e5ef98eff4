/** A pipeline whose agent sums up letters under rules, and a server that plays the model. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { PauseView, StartRunRequest } from '../../src/runtime/views.ts';
import {
  type Answer,
  lastText,
  sayWhole,
  startEndpointServer,
} from '../inference/endpoint-server.ts';
import { testFolder } from './running.ts';

const letter = 'The rent of the office rises to 1,200 EUR in May. The lift is broken.';
export const wrong = 'The rent of the office rises to 2,100 EUR.';
export const right = 'The rent of the office rises to 1,200 EUR.';

export interface LetterDesk {
  readonly dataDirectory: string;
  readonly request: StartRunRequest;
}

/** @param rules of the agent that sums up. */
export function makeLetters(
  rules: readonly JsonObject[],
  {
    agent = {},
    texts = [letter],
    agents = {},
  }: {
    readonly agent?: JsonObject;
    readonly agents?: JsonObject;
    readonly texts?: readonly string[];
  } = {},
): LetterDesk {
  const folder = testFolder();
  const input = join(folder, 'input');
  mkdirSync(input);
  texts.forEach((text, index) => {
    writeFileSync(join(input, `m${index}.txt`), text);
  });
  const supervise = { retries: 0, contradiction: true, rules };
  const pipeline = {
    name: 'letters',
    agents: { writer: { prompt: 'Sum up: {{document.text}}', supervise, ...agent }, ...agents },
    steps: [
      { id: 'sum', agent: 'writer', map: 'documents' },
      {
        id: 'report',
        needs: ['sum'],
        when: 'always',
        write: {
          path: 'report.md',
          template: '{{#items}}{{steps.sum.verdict}}: {{steps.sum.output}}\n{{/items}}',
        },
      },
    ],
    report: 'report.md',
  };
  return {
    dataDirectory: join(folder, 'data'),
    request: { pipeline: pipeline as unknown as JsonObject, input: { folder: input }, seed: 3 },
  };
}

/** Says what `say` makes of the last message of a prompt. */
export async function letterModel(say: (prompt: string, model: string) => string) {
  const answer: Answer = (response, { body }) => {
    sayWhole(response, say(lastText(body), body.model));
  };
  const server = await startEndpointServer(answer);
  onTestFinished(() => server.close());
  return { ...server, settings: { model: { baseUrl: server.baseUrl, name: 'm' } } };
}

/** Waits until so many agents of the run wait for a person. */
export async function untilPaused(
  runtime: Pick<Runtime, 'run'>,
  id: string,
  count = 1,
): Promise<readonly PauseView[]> {
  const waiting = () => runtime.run(id).paused ?? [];
  await expect.poll(() => waiting().length, { timeout: 30_000, interval: 20 }).toBe(count);
  return waiting();
}

export function decided(decision: string, prompt?: string): JsonObject {
  return {
    status: 'completed',
    value: { decision, ...(prompt === undefined ? {} : { prompt }) },
  };
}
