/**
 * `claw generate`: one answer of the model, with the confidence of each token.
 * Asks the live server where there is one, else a model in this process.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ModelPort } from '../../inference/model-port.ts';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { limits } from '../../kernel/limits.ts';
import { generatedText, generationOf, refuseMismatch } from '../../runtime/generate-text.ts';
import type { GeneratedText, GenerateTextRequest } from '../../runtime/views.ts';
import {
  type CommandContext,
  collected,
  decimal,
  type Host,
  integer,
  newCommand,
  onAction,
} from '../command.ts';
import { findServer } from '../connect.ts';
import { readContentPart } from '../content-part-file.ts';
import { FileFault, readTextFile } from '../text-file.ts';

interface GenerateOptions {
  readonly prompt: string;
  readonly system?: string;
  readonly schema?: string;
  readonly temperature?: number;
  readonly seed?: number;
  readonly maxTokens?: number;
  readonly ask?: string;
  readonly localOnly?: boolean;
  readonly attach?: readonly string[];
}

type OnToken = (token: { text: string; confidence: number | null }) => void;

/** Set where the user sets nothing: greedy, and the same answer every time. */
const defaults = { temperature: 0, seed: 1, maxTokens: 256 } as const;

export function generateCommand(host: Host): Command {
  const command = newCommand('generate', 'ask the model once')
    .requiredOption('--prompt <text>', 'what the model is asked')
    .option('--system <text>', 'system prompt')
    .option('--schema <file>', 'JSON Schema that the answer must fit')
    .option('--temperature <n>', 'randomness, 0 to 2', decimal({ min: 0, max: 2 }))
    .option('--seed <n>', 'seed', integer({ min: 0, max: 0xffff_ffff }))
    .option('--max-tokens <n>', 'tokens at most', integer({ min: 1, max: limits.answerTokensMax }))
    .option('--ask <name>', 'one of the models that claw models lists')
    .option('--local-only', 'ask no endpoint')
    .option(
      '--attach <file>',
      'image or recording to show after the prompt; repeatable',
      collected,
    );
  return onAction<GenerateOptions>(command, host, async (context, { options }) => {
    const request = toRequest(options, context.io.cwd);
    const { io, output } = context;
    const controller = new AbortController();
    const stop = io.onSignal(() => controller.abort());
    const onToken: OnToken = output.interactive
      ? ({ text }) => output.write(text)
      : () => undefined;
    try {
      const answer = await generate(context, request, { onToken, signal: controller.signal });
      output.print(output.interactive ? '' : answer.text);
      output.answer(answer);
      return exitStatus.ok;
    } finally {
      stop();
    }
  });
}

function toRequest(options: GenerateOptions, cwd: string): GenerateTextRequest {
  const { prompt, system, schema, temperature, seed, maxTokens, ask, localOnly, attach } = options;
  return {
    prompt,
    temperature: temperature ?? defaults.temperature,
    seed: seed ?? defaults.seed,
    maxTokens: maxTokens ?? defaults.maxTokens,
    ...(system === undefined ? {} : { system }),
    ...(ask === undefined ? {} : { model: ask }),
    ...(localOnly === true ? { privacy: 'local-only' as const } : {}),
    ...(attach === undefined
      ? {}
      : { parts: attach.map((path) => readContentPart(resolve(cwd, path))) }),
    ...(schema === undefined ? {} : { schema: readSchema(resolve(cwd, schema)) }),
  };
}

function readSchema(path: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(readTextFile(path, limits.schemaBytesMax));
  } catch (cause) {
    const why =
      cause instanceof FileFault
        ? cause.message
        : `is not JSON (${String(cause).replace(/\s+/g, ' ')}); correct it`;
    throw new RuntimeError('USAGE', `The schema file ${path} ${why}.`, { cause });
  }
  if (isJsonObject(value)) return value;
  throw new RuntimeError(
    'SCHEMA_UNSUPPORTED',
    `The schema file ${path} holds no JSON object; write a JSON Schema.`,
  );
}

async function generate(
  context: CommandContext,
  request: GenerateTextRequest,
  { onToken, signal }: { onToken: OnToken; signal: AbortSignal },
): Promise<GeneratedText> {
  const server = await findServer(context);
  if (server !== null) return server.generate(request, onToken, signal);
  const model = await context.services.openModel(context.config);
  try {
    return await generateHere(model, request, { onToken, signal });
  } finally {
    await model.close();
  }
}

async function generateHere(
  model: ModelPort,
  request: GenerateTextRequest,
  { onToken, signal }: { onToken: OnToken; signal: AbortSignal },
): Promise<GeneratedText> {
  const outcome = await model.generate(generationOf(request), { onToken, signal });
  refuseMismatch(request, outcome);
  return generatedText(model.info.name, outcome);
}
