/**
 * `claw route explain`: which model would be asked for a prompt, or was asked at an
 * event of a run, and why. Of a prompt it decides by the models of the live
 * server, or by those of the configuration when none runs, and asks nobody.
 */
import { Command } from 'commander';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { limits } from '../../kernel/limits.ts';
import type { EventView } from '../../runtime/views.ts';
import { alignedRows } from '../aligned-rows.ts';
import { type CommandContext, type Host, integer, newCommand, onAction } from '../command.ts';
import { findServer } from '../connect.ts';
import { withReadOnly } from '../read-only.ts';
import { type RouteView, routeLines, routeOf } from '../route-view.ts';

interface ExplainOptions {
  readonly prompt?: string;
  readonly system?: string;
  readonly localOnly?: boolean;
  readonly maxTokens: number;
  readonly run?: string;
  readonly at?: number;
}

const sequences = { min: 1, max: Number.MAX_SAFE_INTEGER };
const answerTokensUsual = 256;

export function routeCommand(host: Host): Command {
  return new Command('route').description('how a model is chosen').addCommand(explainCommand(host));
}

function explainCommand(host: Host): Command {
  const command = newCommand('explain', 'say which model is asked, in which order, and why')
    .option('--prompt <text>', 'decide for this prompt, by the policy of the configuration')
    .option('--system <text>', 'system prompt before it')
    .option('--local-only', 'as for a prompt that no endpoint may see')
    .option(
      '--max-tokens <n>',
      'longest answer',
      integer({ min: 1, max: limits.answerTokensMax }),
      answerTokensUsual,
    )
    .option('--run <run>', 'the choices that a run tells of')
    .option('--at <sequence>', 'the one of this event of the run', integer(sequences));
  return onAction<ExplainOptions>(command, host, (context, { options }) => {
    if (options.run !== undefined) return explainRun(context, options.run, options.at);
    if (options.prompt !== undefined) return explainPrompt(context, options.prompt, options);
    throw new RuntimeError('USAGE', 'Give --prompt TEXT, or --run RUN.');
  });
}

async function explainPrompt(
  context: CommandContext,
  prompt: string,
  { system, localOnly, maxTokens }: ExplainOptions,
): Promise<number> {
  const { config, services, output } = context;
  const server = await findServer(context);
  const models = server === null ? await services.configuredModels(config) : await server.models();
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
    { role: 'user' as const, content: prompt },
  ];
  const request = {
    messages,
    schema: null,
    privacy: localOnly === true ? ('local-only' as const) : ('any' as const),
    maxTokens,
    timeoutMs: limits.generationMsMax,
  };
  const explanation = await services.explainRoute(request, models, config.routing ?? {});
  const isRouted = config.routing !== undefined;
  output.answer({ ...explanation, configured: isRouted });
  const note = isRouted
    ? []
    : [
        'No routing: is configured; without one the default model answers. With routing: {} it would be:',
      ];
  output.print([...note, ...routeLines(explanation)].join('\n'));
  return exitStatus.ok;
}

function explainRun(context: CommandContext, run: string, at: number | undefined): Promise<number> {
  return withReadOnly(context, async (journal) => {
    const { id } = journal.run(run);
    const found: { event: number; actor: string; routing: RouteView }[] = [];
    for (const view of eventsOf(journal, id, at)) {
      const routing = routeOf(view.event as JsonObject);
      if (routing !== null) found.push({ event: view.sequence, actor: view.actor, routing });
    }
    if (found.length === 0) {
      const where = at === undefined ? `The run ${id}` : `Event ${at} of the run ${id}`;
      throw new RuntimeError(
        'ROUTE_NOT_FOUND',
        `${where} tells of no choice of a model; generations have one where routing: is in their pipeline or the configuration.`,
      );
    }
    context.output.answer({ run: id, choices: found });
    const text =
      at === undefined
        ? alignedRows([header, ...found.map(rowOf)])
        : found.flatMap(({ routing }) => routeLines(routing));
    context.output.print(text.join('\n'));
    return exitStatus.ok;
  });
}

const header: readonly string[] = ['EVENT', 'ACTOR', 'CLASS', 'ASKED', 'SAVED'];

function rowOf({ event, actor, routing }: { event: number; actor: string; routing: RouteView }) {
  const asked = (routing.attempts ?? []).map(({ model }) => model).join(', then ');
  return [String(event), actor, routing.taskClass, asked, String(routing.cost?.saved ?? '-')];
}

function* eventsOf(
  journal: { events(id: string, range: { from: number; limit: number }): readonly EventView[] },
  run: string,
  at: number | undefined,
): Generator<EventView> {
  if (at !== undefined) {
    yield* journal.events(run, { from: at, limit: 1 });
    return;
  }
  for (let from = 1; ; ) {
    const page = journal.events(run, { from, limit: limits.eventsPageMax });
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    from = last.sequence + 1;
  }
}
