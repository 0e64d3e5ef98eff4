/**
 * The frame of every command: its common options, the settings that they give,
 * and the one way in which it ends.
 */
import { Command, InvalidArgumentError } from 'commander';
import { type RuntimeConfig, resolveConfig } from '../runtime/config.ts';
import type { Io } from './io.ts';
import type { Output } from './output.ts';
import type { Services } from './services.ts';

export interface CommandContext {
  readonly io: Io;
  readonly output: Output;
  readonly services: Services;
  readonly config: RuntimeConfig;
}

/** What the program gives to each command and takes back from it. */
export interface Host {
  readonly io: Io;
  readonly output: Output;
  readonly services: Services;
  /** Takes the exit status of the command that ran. */
  finish(status: number): void;
}

interface CommonOptions {
  readonly data?: string;
  readonly port?: string;
  readonly model?: string;
  readonly config?: string;
  readonly tokenFile?: string;
  readonly debug?: boolean;
}

/** A command with the options that all commands share. */
export function newCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--data <dir>', 'data directory (OPENCLAW_HOME)')
    .option('--port <port>', 'port of the API (OPENCLAW_PORT, 7420)')
    .option('--model <file>', 'GGUF model file (OPENCLAW_MODEL)')
    .option('--config <file>', 'configuration file')
    .option(
      '--token-file <file>',
      'access token for the server (OPENCLAW_TOKEN is the token itself)',
    )
    .option('--json', 'one JSON object on standard output')
    .option('--debug', 'show stack traces');
}

/**
 * Makes `handler` the action. It gets the positional arguments and its own
 * options, and returns the exit status; what it throws is reported once, above.
 */
export function onAction<Options>(
  command: Command,
  host: Host,
  handler: (
    context: CommandContext,
    input: { readonly words: readonly string[]; readonly options: Options },
  ) => Promise<number>,
): Command {
  return command.action(async () => {
    const options = command.opts<CommonOptions & Options>();
    const context: CommandContext = {
      io: host.io,
      services: host.services,
      output: host.output,
      config: resolveConfig({
        flags: options,
        environment: host.io.environment,
        cwd: host.io.cwd,
      }),
    };
    host.finish(await handler(context, { words: command.args, options }));
  });
}

/** A parser of whole numbers for an option. */
export function integer(range: { min: number; max: number }): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= range.min && value <= range.max) return value;
    throw new InvalidArgumentError(`A whole number from ${range.min} to ${range.max} is expected.`);
  };
}

/** A parser for an option that may be repeated. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** A parser of numbers for an option. */
export function decimal(range: { min: number; max: number }): (text: string) => number {
  return (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= range.min && value <= range.max) return value;
    throw new InvalidArgumentError(`A number from ${range.min} to ${range.max} is expected.`);
  };
}
