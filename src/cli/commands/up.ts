/**
 * `claw up`: the runtime with its API, until it is told to stop. Open runs of
 * an earlier process go on by themselves.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { doorSettings } from '../../api/door-settings.ts';
import type { ApiRefusal } from '../../api/refusals.ts';
import { startApi } from '../../api/server.ts';
import { AccessFile } from '../../identity/access-file.ts';
import { systemClock } from '../../kernel/clock.ts';
import { exitStatus } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import type { RuntimeConfig } from '../../runtime/config.ts';
import { packageRoot } from '../../runtime/config.ts';
import { defaultPoolThreads } from '../../runtime/pool/default-threads.ts';
import { type CommandContext, type Host, newCommand, onAction } from '../command.ts';
import { requireNoOwner } from '../connect.ts';
import { type ExampleResult, runExample } from '../example.ts';
import { requireFreePort } from '../free-port.ts';
import { runSummary } from '../run-summary.ts';
import type { RunningRuntime } from '../services.ts';
import { StopSwitch } from '../stop-switch.ts';

interface UpOptions {
  readonly example?: boolean;
}

export function upCommand(host: Host): Command {
  const command = newCommand('up', 'start the runtime and its API')
    .option('--example', 'with a new data directory, run the bundled example first')
    .option('--deterministic', 'one generation at a time: the same question gives the same tokens')
    .option('--journal <mode>', 'durable, or relaxed: the disk follows within a second');
  return onAction<UpOptions>(command, host, async (context, { options }) => {
    const { services, config, output, io } = context;
    await requireNoOwner(context);
    const tokens = new AccessFile(config.dataDirectory);
    // What the API refuses is said before a runtime is started for it.
    doorSettings(config, tokens, systemClock.nowMs());
    await requireFreePort(config);
    const stop = new StopSwitch(io, output);
    try {
      output.notice('Starting …');
      const runtime = await services.startRuntime(config, {
        onNotice: (text) => output.notice(text),
        onFailure: (error) => stop.fail(error),
      });
      return await stop.guard(
        () => serve(context, { runtime, stop, tokens, example: options.example === true }),
        () => runtime.stop(),
      );
    } finally {
      stop.release();
    }
  });
}

async function serve(
  context: CommandContext,
  {
    runtime,
    stop,
    tokens,
    example,
  }: { runtime: RunningRuntime; stop: StopSwitch; tokens: AccessFile; example: boolean },
): Promise<number> {
  const { config, output } = context;
  const isNew = runtime.runs().length === 0;
  const api = await startApi({
    runtime,
    host: config.host,
    port: config.port,
    tokens,
    dataDirectory: config.dataDirectory,
    ...(config.api === undefined ? {} : { api: config.api }),
    onRefusal: (event) => {
      output.notice(refusalLine(event));
      // Without its journal the runtime stops by itself.
      runtime.security.record({ ...event }).catch(() => undefined);
    },
    onFault: (error) => output.notice(`claw: the API failed: ${String(error)} (INTERNAL)`),
  });
  try {
    await runtime.announcePort(api.port);
    output.print(banner(context, runtime, api.url));
    announceResumed(context, runtime);
    const result =
      example && isNew
        ? await Promise.race([runExample(context, runtime, exampleFolder()), stop.requested])
        : null;
    if (result !== 'stop') answerReady(context, { runtime, url: api.url, example: result });
    await stop.requested;
    return exitStatus.ok;
  } finally {
    await api.close();
  }
}

/** One line for a kind of refused request; nothing in it was written by who was refused. */
function refusalLine({ reason, route, role, token, address, count }: ApiRefusal): string {
  const who = token === null ? (address ?? 'somebody') : `${address} with the token ${token}`;
  const what = route ?? 'an unknown address';
  const wanted = role === null ? '' : `, which takes the role ${role}`;
  return `The API refused ${who}: ${reason}, ${what}${wanted}${count === 1 ? '' : `, ${count} times`}.`;
}

/** Open runs of an earlier process: that they go on, and later how they ended. */
function announceResumed({ output }: CommandContext, runtime: RunningRuntime): void {
  for (const { id, status } of runtime.runs()) {
    if (status !== 'running') continue;
    output.notice(`Going on with the open run ${id}.`);
    runtime.ended(id).then(
      (run) => output.notice(`The run ${id} has ended:\n${runSummary(run)}`),
      // A runtime that fails says so itself, through onFailure.
      () => undefined,
    );
  }
}

function answerReady(
  { output, config }: CommandContext,
  {
    runtime,
    url,
    example,
  }: { runtime: RunningRuntime; url: string; example: ExampleResult | null },
): void {
  output.answer({
    url,
    pid: process.pid,
    dataDirectory: config.dataDirectory,
    ...runtime.health(),
    recovered: runtime.recovered,
    example,
  });
  output.print(`Serving at ${url} until Ctrl-C.`);
}

function banner({ config }: CommandContext, runtime: RunningRuntime, url: string): string {
  const { version, model, threads, journal } = runtime.health();
  const what = model.demonstration
    ? 'the embedded demonstration model, which understands the bundled prompt formats only; name your own with --model FILE'
    : model.backend;
  return [
    `OpenClaw ${version}`,
    `data     ${config.dataDirectory}`,
    `API      ${url}`,
    `threads  ${threads.join(', ')}`,
    ...(journal === 'relaxed' ? [`journal  ${relaxedMeaning}`] : []),
    `pools    ${pools(config)}`,
    `model    ${model.name} (${what})`,
  ].join('\n');
}

const relaxedMeaning =
  'relaxed: a power cut may take the last second, and effects that must not happen twice are refused';

/** What starts processes and threads beside those that always run. */
function pools(config: RuntimeConfig): string {
  const cpuThreads = defaultPoolThreads();
  return [
    `sandbox (${config.sandbox?.pool ?? limits.sandboxPoolSize} warm processes, up to ${limits.sandboxConcurrencyMax} at once)`,
    `CPU (piscina, up to ${cpuThreads} ${cpuThreads === 1 ? 'thread' : 'threads'})`,
  ].join(', ');
}

function exampleFolder(): string {
  return join(packageRoot(), 'examples', 'inbox');
}
