/**
 * Goal: a conversation survives that its process group is killed in the middle
 * of any turn. Method: the model holds its answer to each turn once; while it
 * does, the group is killed. Every prompt, before and after, is to the letter
 * the one of an undisturbed conversation, though no process that asks knows
 * more than the journal says.
 */
import { expect, onTestFinished, test } from 'vitest';
import type { RunView } from '../../src/runtime/views.ts';
import { claw } from '../cli/claw-process.ts';
import { sayWhole, startEndpointServer } from '../inference/endpoint-server.ts';
import { expectedPrompts, makeSearch, script } from '../runtime/conversations.ts';
import {
  getJson,
  killGroup,
  type Server,
  startServer,
  stopServer,
  waitForEnd,
} from './kill-run.ts';

test('kill -9 of the whole process group in each turn of a conversation', {
  timeout: 150_000,
}, async () => {
  const held = new Set<number>();
  let onHeld = (): void => {};
  const model = await startEndpointServer((response, { body }) => {
    const turn = body.messages.filter(({ role }) => role === 'assistant').length;
    if (held.has(turn)) sayWhole(response, script[turn] ?? 'off script');
    else {
      held.add(turn);
      onHeld();
    }
  });
  onTestFinished(() => model.close());
  const { dataDirectory, request } = makeSearch(['the sum']);
  const env = { OPENCLAW_BASE_URL: model.baseUrl, OPENCLAW_MODEL_NAME: 'm' };
  let server: Server | null = null;
  onTestFinished(async () => {
    if (server !== null) await stopServer(server);
  });
  let id = '';
  for (const [turn] of script.entries()) {
    const asked = Promise.withResolvers<void>();
    onHeld = asked.resolve;
    server = await startServer(dataDirectory, env);
    if (turn === 0) {
      const run = await getJson<RunView>(`${server.url}/v1/runs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      });
      id = run.id;
    }
    await asked.promise;
    await killGroup(server);
    server = null;
  }
  server = await startServer(dataDirectory, env);
  const run = await waitForEnd(server, id, 60_000);
  expect(run).toMatchObject({ status: 'succeeded', usage: { generations: 4, toolCalls: 3 } });

  const expected = expectedPrompts('the sum');
  const prompts = model.calls.map(({ body }) => body.messages.map(({ content }) => content));
  // Each turn was asked twice: held and killed, then answered.
  expect(prompts).toEqual(expected.flatMap((prompt) => [prompt, prompt]));
  const replay = await claw(['replay', id], { data: dataDirectory });
  expect(replay.stdout).toContain(`Replay: equal. ${run.events} events`);
  const { contexts } = await getJson<{ contexts: { hash: string }[] }>(
    `${server.url}/v1/runs/${id}/contexts`,
  );
  const last = await getJson<{ messages: { content: string }[] }>(
    `${server.url}/v1/runs/${id}/contexts/${contexts.at(-1)?.hash}`,
  );
  expect(last.messages.map(({ content }) => content)).toEqual(expected.at(-1));
});
