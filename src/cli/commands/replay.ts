/**
 * `claw replay RUN`: folds the run's journal again, in a closed world, and
 * compares the state hash at every event; `--all` does so for every run. With
 * one of the other options it goes to a place in the run and shows it. Exit
 * status 0, or 3 where a replay diverges.
 */
import { type Command, Option } from 'commander';
import type { StepperKind } from '../../actors/stepper.ts';
import { exitStatus, RuntimeError, toErrorMessage } from '../../kernel/errors.ts';
import { type Breakpoint, parseBreakpoint } from '../../runtime/breakpoint.ts';
import {
  type CommandContext,
  collected,
  type Host,
  integer,
  newCommand,
  onAction,
} from '../command.ts';
import { withReadOnly } from '../read-only.ts';
import { type Inspected, inspectEvent, inspectorPort } from '../replay-inspect.ts';
import { divergenceText, stepThrough } from '../replay-stepper.ts';
import { actorsText, stepText } from '../replay-view.ts';
import { replayStatus, replayVerdict } from '../run-summary.ts';
import type { ReadOnlyRuntime, ReplayReport, ReplaySession } from '../services.ts';

interface ReplayOptions {
  readonly all?: boolean;
  readonly until?: number;
  readonly actor?: string;
  readonly break?: readonly string[];
  readonly step?: boolean;
  /** Without a port the one of Node.js. */
  readonly inspect?: number | true;
  readonly stepper?: StepperKind;
}

export function replayCommand(host: Host): Command {
  const sequence = integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const command = newCommand('replay', 'fold a run again and compare every state')
    .argument('[run]', 'id of the run')
    .option('--all', 'replay every run against the machines of this program')
    .option('--until <sequence>', 'show the run as it was when this event had happened', sequence)
    .option('--actor <name>', 'look at this actor alone, with its whole state')
    .option(
      '--break <where>',
      'stop at type=T, actor=A, state=S or where=EXPRESSION; may be repeated',
      collected,
    )
    .option('--step', 'go through the run by hand, forward and back')
    .option(
      '--inspect [port]',
      "wait for a debugger and stop in the machine's source, at the event of --until or --break, at the first that diverges, or at the first",
      integer({ min: 0, max: 65_535 }),
    )
    .addOption(
      new Option('--stepper <kind>', 'what steps the machines: their compiled tables, or XState')
        .choices(['compact', 'xstate'])
        .default('compact'),
    );
  return onAction<ReplayOptions>(command, host, (context, { words: [run], options }) =>
    withReadOnly(context, async (journal) => {
      if (options.all === true) {
        if (run !== undefined) throw new RuntimeError('USAGE', 'Give a run or --all, not both.');
        if (options.inspect !== undefined) {
          throw new RuntimeError('USAGE', '--inspect stops in one run; name it instead of --all.');
        }
        return replayAll(context, journal, options.stepper);
      }
      if (run === undefined) {
        throw new RuntimeError('USAGE', 'Name a run, or give --all; claw runs lists them.');
      }
      if (options.inspect !== undefined) return inspect(context, journal, run, options);
      const looks =
        options.until !== undefined ||
        options.actor !== undefined ||
        options.break !== undefined ||
        options.step === true;
      return looks
        ? look(context, journal, run, options)
        : replayOne(context, journal, run, { stepper: options.stepper });
    }),
  );
}

async function replayOne(
  { output }: CommandContext,
  journal: ReadOnlyRuntime,
  run: string,
  how: { readonly stepper?: StepperKind | undefined; readonly inspect?: () => Inspected },
): Promise<number> {
  const report = await journal.replay(run, how.stepper);
  // Last, because its threads and an inspector that ends are too much for Node.js at once.
  const inspected = how.inspect === undefined ? {} : { inspected: how.inspect() };
  output.answer({ ...answerOf(report), ...inspected });
  output.print(`${replayVerdict(report)}\nstate hash   ${report.stateHash}`);
  return replayStatus(report);
}

function answerOf({ run, events, equal, stateHash, divergence }: ReplayReport): ReplayReport {
  return { run, events, equal, stateHash, divergence };
}

/** Every run of the journal; what cannot be replayed is named and keeps nobody else from it. */
async function replayAll(
  { output }: CommandContext,
  journal: ReadOnlyRuntime,
  stepper: StepperKind | undefined,
): Promise<number> {
  const reports: ReplayReport[] = [];
  const refused: { run: string; error: { code: string; message: string } }[] = [];
  let erased = 0;
  for (const { id, compacted, error } of journal.runs()) {
    if (error?.code === 'RUN_ERASED') erased += 1;
    if (compacted || error?.code === 'RUN_ERASED') continue;
    try {
      const report = await journal.replay(id, stepper);
      reports.push(answerOf(report));
      output.print(
        report.equal
          ? `${id}  equal, ${report.events} events`
          : `${id}  ${replayVerdict(report).split('\n').join('\n  ')}`,
      );
    } catch (error) {
      const { code, message } = toErrorMessage(error);
      refused.push({ run: id, error: { code, message } });
      output.print(`${id}  not replayed: ${message} (${code})`);
    }
  }
  const diverged = reports.filter(({ equal }) => !equal).length;
  output.answer({ equal: reports.length - diverged, diverged, erased, reports, refused });
  output.print(
    `${reports.length - diverged} equal, ${diverged} diverged, ${refused.length} not replayed${erased > 0 ? `, ${erased} erased` : ''}.`,
  );
  if (diverged > 0) return exitStatus.diverged;
  return refused.length > 0 ? exitStatus.dataDamaged : exitStatus.ok;
}

/** Goes to a place of the run and shows it, or lets the user go. */
async function look(
  context: CommandContext,
  journal: ReadOnlyRuntime,
  run: string,
  options: ReplayOptions,
): Promise<number> {
  const { output, io } = context;
  const session = journal.session(run, options.actor);
  const breakpoints = (options.break ?? []).map(parseBreakpoint);
  if (options.step === true) {
    if (output.json) {
      throw new RuntimeError('USAGE', '--step is for people; give --until or --break with --json.');
    }
    if (options.until !== undefined) session.goTo(options.until);
    await stepThrough({ session, breakpoints }, io.lines(), output);
  } else {
    go(session, breakpoints, options.until);
    showPlace(context, session, { run, actor: options.actor });
  }
  return session.divergence === null ? exitStatus.ok : exitStatus.diverged;
}

/** Replays the run, and stops in the machine at the chosen event, under a debugger. */
function inspect(
  context: CommandContext,
  journal: ReadOnlyRuntime,
  run: string,
  options: ReplayOptions,
): Promise<number> {
  if (options.step === true) {
    throw new RuntimeError('USAGE', 'Give --inspect or --step, not both.');
  }
  const begin = (): ReplaySession => journal.session(run, options.actor);
  const port =
    options.inspect === undefined || options.inspect === true ? inspectorPort : options.inspect;
  const sequence = chosenEvent(begin(), options);
  return replayOne(context, journal, run, {
    stepper: options.stepper,
    inspect: () => inspectEvent(begin, { sequence, port }, context.output),
  });
}

/**
 * The event of --until or --break; without them the first that diverges, or the first.
 * @throws RuntimeError USAGE
 */
function chosenEvent(session: ReplaySession, { until, break: where = [] }: ReplayOptions): number {
  const breakpoints = where.map(parseBreakpoint);
  go(session, breakpoints, until);
  if (session.divergence !== null) return session.divergence.sequence;
  if (until === undefined && where.length === 0) session.goTo(1);
  if (session.current === null) session.forward();
  const { current } = session;
  const last = until ?? Number.POSITIVE_INFINITY;
  if (
    current === null ||
    current.event.sequence > last ||
    (breakpoints.length > 0 && !breakpoints.some((holds) => holds(current)))
  ) {
    throw new RuntimeError('USAGE', 'There is no such event to stop at; claw events lists them.');
  }
  return current.event.sequence;
}

/** To the first breakpoint up to `until`, or to `until`, or to the end. */
function go(
  session: ReplaySession,
  breakpoints: readonly Breakpoint[],
  until: number | undefined,
): void {
  const last = until ?? Number.POSITIVE_INFINITY;
  if (breakpoints.length === 0) {
    session.goTo(last);
    return;
  }
  for (let step = session.forward(); step !== null; step = session.forward()) {
    if (step.event.sequence > last) {
      session.back();
      return;
    }
    const reached = step;
    if (breakpoints.some((holds) => holds(reached))) return;
  }
}

function showPlace(
  { output }: CommandContext,
  session: ReplaySession,
  { run, actor }: { run: string; actor: string | undefined },
): void {
  const { current, divergence } = session;
  const actors = session.actors();
  const state = actor === undefined ? null : session.state(actor);
  output.answer({
    run,
    sequence: current?.event.sequence ?? 0,
    event: current?.event ?? null,
    changes: current?.changes ?? [],
    actors,
    ...(actor === undefined ? {} : { state }),
    divergence,
  });
  output.print(current === null ? 'No such event has happened.' : stepText(current));
  output.print(`\n${state === null ? actorsText(actors) : JSON.stringify(state, null, 2)}`);
  if (divergence !== null) output.print(divergenceText(divergence));
}
