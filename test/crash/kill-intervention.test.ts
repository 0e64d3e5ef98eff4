/**
 * Goal: an intervention survives that its process group is killed in the middle
 * of it: while a critic is asked, and while a person is waited for. Method: the
 * model holds the critic's answer once; the group is killed then, and again in
 * the pause, before a person says how it goes on.
 */
import { expect, onTestFinished, test } from 'vitest';
import type { InterventionView, RunView } from '../../src/runtime/views.ts';
import { claw } from '../cli/claw-process.ts';
import { lastText, sayWhole, startEndpointServer } from '../inference/endpoint-server.ts';
import { decided, makeLetters, right, wrong } from '../runtime/watched-runs.ts';
import {
  getJson,
  killGroup,
  type Server,
  startServer,
  stopServer,
  waitForEnd,
} from './kill-run.ts';

const judge = {
  prompt: 'Judge {{answer}}',
  output: { type: 'object', properties: { accept: { type: 'boolean' } }, required: ['accept'] },
};

function post(body: unknown): RequestInit {
  const headers = { 'content-type': 'application/json' };
  return { method: 'POST', headers, body: JSON.stringify(body) };
}

test('kill -9 of the whole process group while a critic is asked, and in a pause', {
  timeout: 120_000,
}, async () => {
  let held = false;
  const asked = Promise.withResolvers<void>();
  const model = await startEndpointServer((response, { body }) => {
    const prompt = lastText(body);
    if (prompt.startsWith('Judge')) {
      if (held) sayWhole(response, '{"accept":false}');
      held = true;
      asked.resolve();
    } else sayWhole(response, prompt === 'Once more' ? right : wrong);
  });
  onTestFinished(() => model.close());
  const { dataDirectory, request } = makeLetters(
    [
      { when: 'contradiction', do: 'critic', agent: 'judge' },
      { when: 'contradiction', do: 'pause' },
    ],
    { agents: { judge } },
  );
  const env = { OPENCLAW_BASE_URL: model.baseUrl, OPENCLAW_MODEL_NAME: 'm' };
  let server: Server | null = await startServer(dataDirectory, env);
  onTestFinished(async () => {
    if (server !== null) await stopServer(server);
  });
  const { id } = await getJson<RunView>(`${server.url}/v1/runs`, post(request));
  await asked.promise;
  await killGroup(server);

  const pausedRun = async ({ url }: Server): Promise<RunView> => {
    let run = await getJson<RunView>(`${url}/v1/runs/${id}`);
    await expect
      .poll(
        async () => {
          run = await getJson<RunView>(`${url}/v1/runs/${id}`);
          return run.paused?.length;
        },
        { timeout: 30_000 },
      )
      .toBe(1);
    return run;
  };
  server = await startServer(dataDirectory, env);
  const before = await pausedRun(server);
  await killGroup(server);

  server = await startServer(dataDirectory, env);
  const after = await pausedRun(server);
  expect(after.paused).toEqual(before.paused);
  const key = after.paused?.[0]?.key;
  const outcome = decided('retry', 'Once more');
  await getJson(`${server.url}/v1/runs/${id}/effects/resolve`, post({ key, outcome }));
  const run = await waitForEnd(server, id, 30_000);
  expect(run).toMatchObject({ status: 'succeeded', progress: { handedToHuman: 0 } });

  const { interventions } = await getJson<{ interventions: InterventionView[] }>(
    `${server.url}/v1/runs/${id}/interventions`,
  );
  expect(interventions.map(({ did, decided: word }) => [did, word])).toEqual([
    ['critic', null],
    ['pause', null],
    ['pause', 'retry'],
  ]);
  const prompts = model.calls.map(({ body }) => body.messages.at(-1)?.content);
  // The critic was asked twice: held and killed, then answered.
  expect(prompts.slice(1)).toEqual([`Judge ${wrong}`, `Judge ${wrong}`, 'Once more']);
  const replay = await claw(['replay', id], { data: dataDirectory });
  expect(replay.stdout).toContain(`Replay: equal. ${run.events} events`);
});
