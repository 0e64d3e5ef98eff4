/**
 * `claw models`: the models of the live server, or those of the configuration
 * when none runs. `claw models reload NAME` loads one again while it serves.
 */
import type { Command } from 'commander';
import type { ModelStatus } from '../../inference/model-status.ts';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { findServer } from '../connect.ts';

const hashCharacters = 12;
const mebibyte = 1024 * 1024;

export function modelsCommand(host: Host): Command {
  const command = newCommand('models', 'list the models, what they take and how fast they are');
  onAction(command, host, async (context) => {
    const server = await findServer(context);
    const models =
      server === null
        ? await context.services.configuredModels(context.config)
        : await server.models();
    context.output.answer({ models });
    const lines = [...alignedRows([header, ...models.map(rowOf)]), ...models.flatMap(inUse)];
    context.output.print(lines.join('\n'));
    return exitStatus.ok;
  });
  // The options of its own command come after its name.
  return command.enablePositionalOptions().addCommand(reloadCommand(host));
}

function reloadCommand(host: Host): Command {
  const command = newCommand(
    'reload',
    'load a model again, such as from a replaced file, while the server goes on',
  ).argument('<name>', 'name of the model, as claw models lists it');
  return onAction(command, host, async (context, { words: [name = ''] }) => {
    const server = await findServer(context);
    if (server === null) {
      throw new RuntimeError(
        'SERVER_NOT_RUNNING',
        `No server uses ${context.config.dataDirectory}; the next one loads its models as their files are then.`,
      );
    }
    const model = await server.reloadModel(name);
    context.output.answer({ model });
    context.output.print(alignedRows([header, rowOf(model)]).join('\n'));
    return exitStatus.ok;
  });
}

const header: readonly string[] = [
  'MODEL',
  'BACKEND',
  'TIER',
  'STATE',
  'DEVICE',
  'MEMORY',
  'CONTEXT',
  'SEQUENCES',
  'OPEN',
  'TOKENS/S',
  'SHA-256',
];

/** What a model that is loaded takes and holds at this moment. */
function inUse({ name, usage }: ModelStatus): string[] {
  if (usage === null) return [];
  const { memory, files, sequences, active, parked, tokensRead, tokensHeld } = usage;
  const mib = (bytes: number) => `${Math.ceil(bytes / mebibyte)} MiB`;
  return [
    `${name}: ${mib(memory.weights)} of weights, ${mib(memory.contexts)} of contexts, ${mib(memory.vram)} of GPU memory, ${mib(files.bytes)} in ${files.files} files; ` +
      `${active} of ${sequences} sequences active, ${parked} parked; ${tokensRead} prompt tokens read, ${tokensHeld} held`,
  ];
}

/** Tokens of a window now, and to which it may grow. */
function contextOf({ contextTokens, usage }: ModelStatus): string {
  if (contextTokens === null) return '-';
  const now = usage?.window.tokens ?? contextTokens;
  return now === contextTokens ? String(now) : `${now} of ${contextTokens}`;
}

function rowOf(model: ModelStatus): string[] {
  const { device, memoryBytes, sequences, tokensPerSecond, sha256 } = model;
  return [
    model.default ? `${model.name} (default)` : model.name,
    model.backend,
    model.tier,
    model.state,
    device ?? '-',
    memoryBytes === null ? 'not known' : `${Math.ceil(memoryBytes / mebibyte)} MiB`,
    contextOf(model),
    sequences === null ? '-' : String(sequences),
    String(model.generations),
    tokensPerSecond === null ? '-' : tokensPerSecond.toFixed(0),
    sha256 === null ? '-' : sha256.slice(0, hashCharacters),
  ];
}
