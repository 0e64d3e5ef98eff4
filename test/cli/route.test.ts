import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startApi } from '../../src/api/server.ts';
import { exitStatus } from '../../src/kernel/errors.ts';
import { makeDesk, openRuntime, runToEnd } from '../runtime/running.ts';
import { LocalRuntime, run } from './harness.ts';

function configFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'claw-route-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'config.yaml');
  writeFileSync(path, text);
  return path;
}

const twoModels = `models:
  - { name: far, baseUrl: "http://127.0.0.1:9/v1" }
routing: { prefer: { summary: remote } }
`;

describe('claw route explain --prompt', () => {
  test('decides by the configuration, and asks nobody', async () => {
    const words = ['route', 'explain', '--prompt', 'Summarise: the inspection is moved.'];
    const config = ['--config', configFile(twoModels)];
    const { status, stdout } = await run([...words, ...config]);
    expect(status).toBe(exitStatus.ok);
    expect(stdout).toContain('Class summary ("Summarise"), privacy any');
    expect(stdout).toContain('1. far (remote): summary prefers remote');
    expect(stdout).toContain('2. default (small): small, and summary prefers remote; not loaded');
    const secret = await run([...words, ...config, '--local-only', '--json']);
    expect(JSON.parse(secret.stdout)).toMatchObject({
      configured: true,
      privacy: 'local-only',
      ranked: [{ model: 'default' }],
      excluded: [{ model: 'far' }],
    });
  });

  test('decides by the models of the live server as they are now', async () => {
    const runtime = new LocalRuntime();
    const api = await startApi({ runtime, host: '127.0.0.1', port: 0 });
    onTestFinished(() => api.close());
    const owner = { pid: 1, port: api.port };
    const { stdout } = await run(['route', 'explain', '--prompt', 'Hello!'], { owner });
    expect(stdout).toContain('No routing: is configured');
    expect(stdout).toMatch(/1\. in-memory \(small\): chat prefers small; about 2075 ms at 123 tok/);
  });

  test('wants a prompt or a run', async () => {
    expect((await run(['route', 'explain'])).status).toBe(exitStatus.badInput);
  });
});

describe('claw route explain --run', () => {
  test('tells what the journal has of each choice', async () => {
    const { dataDirectory, request } = makeDesk(['Hello!']);
    const runtime = await openRuntime(dataDirectory);
    const pipeline = {
      name: 'chosen',
      agents: { greeter: { prompt: '{{document.text}}' } },
      steps: [{ id: 'greet', agent: 'greeter', map: 'documents' }],
    };
    const routed = { ...pipeline, routing: {} };
    const { id } = await runToEnd(runtime, { ...request, pipeline: routed });
    const usual = await runToEnd(runtime, { ...request, pipeline });
    await runtime.stop();
    const explain = ['route', 'explain', '--data', dataDirectory];
    const list = await run([...explain, '--run', id, '--json']);
    const { choices } = JSON.parse(list.stdout);
    expect(choices).toMatchObject([
      {
        event: expect.any(Number),
        routing: { taskClass: 'chat', ranked: [{ model: 'tiny-agent' }] },
      },
    ]);
    const [{ event }] = choices;
    const one = await run([...explain, '--run', id, '--at', String(event)]);
    expect(one.stdout).toContain('1. tiny-agent (small): chat prefers small');
    expect(one.stdout).toMatch(/tiny-agent answered: \d+ tokens/);
    expect((await run([...explain, '--run', id])).stdout).toMatch(/^EVENT +ACTOR +CLASS/);
    for (const words of [
      ['--run', id, '--at', '1'],
      ['--run', usual.id],
    ]) {
      const none = await run([...explain, ...words]);
      expect(none.stderr).toContain('ROUTE_NOT_FOUND');
      expect(none.status).toBe(exitStatus.badInput);
    }
  });
});
