/** A whole runtime in a folder of its own, and a pipeline that is done within a second or two. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { JsonObject } from '../../src/kernel/json.ts';
import type { RuntimeConfig } from '../../src/runtime/config.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import type { Runtime, RuntimeHooks } from '../../src/runtime/runtime.ts';
import { startRuntime } from '../../src/runtime/start-runtime.ts';
import type { RunView, StartRunRequest } from '../../src/runtime/views.ts';

export interface Desk {
  readonly dataDirectory: string;
  readonly request: Omit<StartRunRequest, 'pipeline'> & { readonly pipeline: JsonObject };
}

const toolList =
  'Available tools: [{"name": "calc", "args": ["op", "a", "b"]}, {"name": "read_file", "args": ["path"]}]';

/** Routes each message, calculates in the sandbox, reads a file of the workspace, and reports. */
export function deskPipeline(workspace: string): JsonObject {
  return {
    name: 'desk',
    input: { workspace },
    agents: {
      router: {
        prompt: 'Route this request to one of: billing, support. Request: {{document.text}}',
        output: {
          type: 'object',
          properties: { route: { enum: ['billing', 'support'] } },
          required: ['route'],
        },
      },
      adder: {
        prompt: `${toolList}\nRequest: {{document.text}}`,
        tools: ['calc'],
        output: {
          type: 'object',
          properties: {
            tool: { const: 'calc' },
            args: {
              type: 'object',
              properties: { a: { type: 'integer' }, b: { type: 'integer' } },
              required: ['a', 'b'],
            },
          },
          required: ['tool', 'args'],
        },
      },
      opener: {
        prompt: `${toolList}\nRequest: {{document.text}}`,
        tools: ['read_file'],
        output: {
          type: 'object',
          properties: {
            tool: { const: 'read_file' },
            args: {
              type: 'object',
              properties: { path: { enum: ['costs.csv'] } },
              required: ['path'],
            },
          },
          required: ['tool', 'args'],
        },
      },
    },
    tools: {
      calc: {
        actuator: 'sandbox',
        operation: 'run',
        parameters: ['a', 'b'],
        arguments: { source: '({ sum: {{a}} + {{b}} })' },
      },
      read_file: {
        actuator: 'file',
        operation: 'read',
        parameters: ['path'],
        arguments: { path: '{{path}}' },
      },
    },
    steps: [
      { id: 'route', agent: 'router', map: 'documents' },
      { id: 'add', agent: 'adder', map: 'documents', needs: ['route'] },
      { id: 'open', agent: 'opener', map: 'documents', needs: ['route'] },
      {
        id: 'report',
        needs: ['route', 'add', 'open'],
        when: 'always',
        write: {
          path: 'report.md',
          template:
            '{{#items}}{{document.name}}: {{steps.route.output.route}}, {{steps.add.output.result.sum}}, {{steps.open.output.result.text}}\n{{/items}}',
        },
      },
    ],
    report: 'report.md',
  };
}

export function deskTexts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `Please add ${index + 21} and 34`);
}

/** A folder that is removed when the test has finished. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'openclaw-runtime-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A new data directory, and a run over `texts`. */
export function makeDesk(texts: readonly string[]): Desk {
  const folder = testFolder();
  const [input, workspace] = [join(folder, 'input'), join(folder, 'workspace')];
  mkdirSync(input);
  mkdirSync(workspace);
  writeFileSync(join(workspace, 'costs.csv'), 'rent,1200');
  texts.forEach((text, index) => {
    writeFileSync(join(input, `m${String(index).padStart(3, '0')}.txt`), text);
  });
  return {
    dataDirectory: join(folder, 'data'),
    request: { pipeline: deskPipeline(workspace), input: { folder: input }, seed: 3 },
  };
}

type Settings = Partial<Omit<RuntimeConfig, 'dataDirectory' | 'host' | 'port'>>;

/** Started; stopped at the end of the test unless the test did. */
export async function openRuntime(
  dataDirectory: string,
  settings: Settings = {},
  hooks: RuntimeHooks = {},
): Promise<Runtime> {
  const runtime = await startRuntime(
    {
      dataDirectory,
      host: '127.0.0.1',
      port: 0,
      model: {},
      deterministic: true,
      journal: 'durable',
      debug: false,
      ...settings,
    },
    hooks,
  );
  onTestFinished(() => runtime.stop());
  return runtime;
}

/** Starts the run and waits for its end. */
export async function runToEnd(runtime: Runtime, request: StartRunRequest): Promise<RunView> {
  const { id } = await runtime.startRun(request);
  return runtime.ended(id);
}

/** Resolves when the run has that many events, or has ended. */
export function untilEvents(runtime: Runtime, id: string, count: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = runtime.subscribe(id, count, () => {
      stop();
      resolve();
    });
    void runtime.ended(id).then(
      () => resolve(),
      () => resolve(),
    );
  });
}

/** Reads the journal as it is now; closed at the end of the test. */
export function journalOf(dataDirectory: string): JournalFollower {
  const follower = new JournalFollower(dataDirectory, { verifyDigests: true });
  onTestFinished(() => follower.close());
  follower.advance();
  return follower;
}
