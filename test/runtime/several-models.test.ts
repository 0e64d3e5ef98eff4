/** Runs over several real models: which one answers is in the journal. */
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { draftModelFile, embeddedModelFile } from '../inference/requests.ts';
import { makeDesk, openRuntime, runToEnd, testFolder } from './running.ts';

const pipeline: JsonObject = {
  name: 'two',
  agents: {
    quick: { model: 'draft', prompt: '{{document.text}}', limits: { maxTokens: 8 } },
    usual: { prompt: '{{document.text}}', limits: { maxTokens: 40 } },
  },
  steps: [
    { id: 'quick', agent: 'quick', map: 'documents' },
    { id: 'usual', agent: 'usual', map: 'documents', needs: ['quick'], when: 'always' },
  ],
};

function served(runtime: Runtime, run: string): unknown[] {
  return runtime
    .events(run, { from: 1, limit: 1_000 })
    .map(({ event }) => (event.outcome as { value?: { served?: unknown } } | undefined)?.value)
    .filter((value) => value !== undefined && 'tokens' in value)
    .map((value) => value?.served);
}

async function replays(dataDirectory: string, run: string): Promise<boolean> {
  const readOnly = openReadOnly(dataDirectory);
  onTestFinished(() => readOnly.close());
  return (await readOnly.replay(run)).equal;
}

describe('a runtime with several models', () => {
  test('asks each agent’s own, journals which, and replays without any', async () => {
    const { dataDirectory, request } = makeDesk(['Hello!', 'Good morning!']);
    const models = [{ name: 'draft', file: draftModelFile }];
    const runtime = await openRuntime(dataDirectory, {
      model: { sequences: 1 },
      models,
      modelMemoryMb: 7,
    });
    const run = await runToEnd(runtime, { ...request, pipeline });
    expect(run.status).toBe('succeeded');
    const [usual, draft] = await runtime.models();
    expect(usual).toMatchObject({ name: 'tiny-agent', default: true });
    expect(served(runtime, run.id)).toEqual(
      expect.arrayContaining([
        { model: 'draft', sha256: draft?.sha256 },
        { model: 'tiny-agent', sha256: usual?.sha256 },
      ]),
    );
    expect(served(runtime, run.id)).toHaveLength(4);
    const unknown: JsonObject = {
      name: 'lost',
      agents: { lost: { model: 'nobody', prompt: 'x' } },
      steps: [{ id: 'lost', agent: 'lost' }],
    };
    await expect(runtime.startRun({ ...request, pipeline: unknown })).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
      message: expect.stringContaining('tiny-agent, draft'),
    });
    await runtime.stop();
    expect(await replays(dataDirectory, run.id)).toBe(true);
  });

  test('loads another file into the place of the default model', async () => {
    const file = join(testFolder(), 'own.gguf');
    copyFileSync(embeddedModelFile, file);
    const { dataDirectory } = makeDesk([]);
    const runtime = await openRuntime(dataDirectory, { model: { file } });
    const [before] = await runtime.models();
    copyFileSync(draftModelFile, `${file}.new`);
    renameSync(`${file}.new`, file);
    const after = await runtime.reloadModel('tiny-agent');
    expect(after).toMatchObject({ name: 'tiny-agent-draft', state: 'idle' });
    expect(after.sha256).not.toBe(before?.sha256);
    expect(runtime.health().model.name).toBe('tiny-agent-draft');
    await expect(runtime.reloadModel('tiny-agent')).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    });
  });
});
