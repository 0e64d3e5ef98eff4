/**
 * Generated code as operations: `run` is JavaScript or TypeScript in an
 * isolate, where the same script with the same arguments has the same value,
 * because nothing of the world reaches it; `script` is shell or Python, which
 * may see the time and the programs of the host, but leaves no trace either.
 *
 * Invariants
 *   S1. A script calls only tools that its intention names and that were given
 *       to this actuator, all of them `pure`: so both operations are.
 *   S2. `fetch` is `run` with the network as one more tool, where operators have
 *       granted it to this very script; it only reads, so it may be repeated.
 */
import { z } from 'zod';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { executionLimits } from '../sandbox/execution-limits.ts';
import { FileError } from '../sandbox/file-error.ts';
import { OverlayFileSystem } from '../sandbox/overlay-file-system.ts';
import type { SandboxOutcome } from '../sandbox/sandbox-outcome.ts';
import type { AnyExecution } from '../sandbox/sandboxes.ts';
import type { ToolPort } from '../sandbox/tool-port.ts';
import { type Actuator, type ActuatorContext, type Operation, operation } from './actuator.ts';
import { operationArguments } from './operation-arguments.ts';
import { scriptFetch } from './script-requests.ts';

/** Whoever runs scripts: Sandboxes. */
export interface ScriptRunner {
  execute(execution: AnyExecution): Promise<SandboxOutcome>;
}

type RunArguments = z.output<(typeof operationArguments)['sandbox.run']>;
type ScriptArguments = z.output<(typeof operationArguments)['sandbox.script']>;

/**
 * @param tools what scripts may be granted, by dotted name such as `file.read`
 * @param http what scripts reach the network by; without it none does
 */
export function sandboxActuator(
  runner: ScriptRunner,
  tools: Readonly<Record<string, Operation>> = {},
  http: Actuator | null = null,
): Actuator {
  for (const [name, { effect }] of Object.entries(tools)) {
    assert(effect === 'pure', `a script may be granted ${name} only if it is pure`); // (S1)
  }
  return {
    name: 'sandbox',
    concurrency: limits.sandboxConcurrencyMax,
    operations: {
      run: operation({
        effect: 'pure',
        arguments: operationArguments['sandbox.run'],
        result: z.json(),
        async perform({ tools: granted = [], ...script }, context) {
          return perform(runner, script, context, toolPort(tools, granted, context));
        },
      }),
      fetch: operation({
        effect: 'idempotent',
        outside: true,
        arguments: operationArguments['sandbox.fetch'],
        result: z.json(),
        async perform({ tools: granted = [], label: _label, ...script }, context) {
          const network = http === null ? {} : { 'http.fetch': scriptFetch(http, script.source) }; // (S2)
          const port = toolPort({ ...tools, ...network }, granted, context);
          return perform(runner, script, context, port);
        },
      }),
      script: operation({
        effect: 'pure',
        arguments: operationArguments['sandbox.script'],
        result: z.json(),
        async perform(script, context) {
          return perform(runner, script, context);
        },
      }),
    },
  };
}

async function perform(
  runner: ScriptRunner,
  { files = {}, outputs = false, ...script }: Omit<RunArguments, 'tools'> | ScriptArguments,
  { signal }: ActuatorContext,
  tools?: ToolPort,
): Promise<Json> {
  const fileSystem = mounted(files, script.limits);
  const outcome = await runner.execute({ ...script, fileSystem, tools, signal });
  if (outcome.ok) {
    const value = outcome.value ?? null;
    if (!outputs) return value;
    const contents = new Map(
      fileSystem.outputs().map(({ path, bytes }) => [path.join('/'), bytes.toString('base64')]),
    );
    const left = (outcome.files ?? []).map((file) => ({
      ...file,
      base64: contents.get(file.path) ?? '',
    }));
    return { value, files: left };
  }
  assert(outcome.error !== undefined, 'a failed execution says why');
  const { code, message } = outcome.error;
  // The same script fails the same way again, except where the host was at fault.
  const retryable = code === 'SANDBOX_CRASHED' || code === 'ACTUATOR_BUSY';
  throw new RuntimeError(code, message, { retryable });
}

/** The files of an intention, read-only below /docs. */
function mounted(
  files: Readonly<Record<string, string>>,
  given: RunArguments['limits'],
): OverlayFileSystem {
  // What leaves is part of the outcome, and outcomes are bounded.
  const own = executionLimits({ outputBytes: limits.sandboxApiFileBytesMax, ...given });
  if (typeof own === 'string') throw new RuntimeError('SANDBOX_INPUT_INVALID', own);
  const entries = Object.entries(files).map(([path, text]) => [path, Buffer.from(text)] as const);
  try {
    return new OverlayFileSystem({
      mounts: [{ at: '/docs', files: new Map(entries) }],
      limits: own,
    });
  } catch (cause) {
    if (!(cause instanceof FileError)) throw cause;
    const message = `The files cannot be mounted: ${cause.message}.`;
    throw new RuntimeError('SANDBOX_MOUNT_INVALID', message, { cause });
  }
}

/** @throws RuntimeError SANDBOX_INPUT_INVALID for a tool that nobody can be granted. */
function toolPort(
  tools: Readonly<Record<string, Operation>>,
  names: readonly string[],
  context: ActuatorContext,
): ToolPort {
  for (const name of names) {
    if (Object.hasOwn(tools, name)) continue;
    const known = Object.keys(tools).join(', ') || 'none';
    throw new RuntimeError(
      'SANDBOX_INPUT_INVALID',
      `A script cannot be granted the tool ${name}; there are: ${known}.`,
    );
  }
  return {
    names,
    async call(name, args, signal) {
      const tool = tools[name];
      assert(tool !== undefined, 'only granted tools are called');
      const parsed = tool.arguments.safeParse(args);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        const message = `The arguments of ${name} are not valid (${issue?.path.join('.')}: ${issue?.message}).`;
        throw new RuntimeError('INTENTION_INVALID', message);
      }
      return (await tool.perform(parsed.data, { ...context, signal })) as Json;
    },
  };
}
