/**
 * Going through a replay by hand: a line for each command, from a terminal or
 * from a pipe.
 */
import type { Breakpoint } from '../runtime/breakpoint.ts';
import type { Output } from './output.ts';
import { actorsText, stateLines, stepText } from './replay-view.ts';
import type { ReplaySession } from './services.ts';

const help = `n [N]     on by one event, or by N      (also an empty line)
b [N]     back by one event, or by N
g SEQ     to where event SEQ has happened
c         on to the next breakpoint
r         back to the last breakpoint
a         all actors
s ACTOR   the whole state of an actor
q         leave`;

interface Stepper {
  readonly session: ReplaySession;
  readonly breakpoints: readonly Breakpoint[];
}

/** Obeys the lines until they end or one of them says so. */
export async function stepThrough(
  stepper: Stepper,
  lines: AsyncIterable<string>,
  output: Output,
): Promise<void> {
  const prompt = output.interactive ? '> ' : '';
  output.print(placeText(stepper.session));
  output.write(prompt);
  for await (const line of lines) {
    const [command = '', argument = ''] = line.trim().split(/\s+/);
    if (command === 'q') return;
    output.print(obey(stepper, command === '' ? 'n' : command, argument));
    output.write(prompt);
  }
}

/** What there is to see after a command. */
function obey(stepper: Stepper, command: string, argument: string): string {
  const { session } = stepper;
  const count = /^\d{1,15}$/.test(argument) ? Number(argument) : 1;
  switch (command) {
    case 'n':
      for (let step = 0; step < count && session.forward() !== null; step += 1);
      break;
    case 'b':
      for (let step = 0; step < count && session.back(); step += 1);
      break;
    case 'g':
      session.goTo(count);
      break;
    case 'c':
      toBreakpoint(stepper, () => session.forward() !== null);
      break;
    case 'r':
      toBreakpoint(stepper, () => session.back());
      break;
    case 'a':
      return actorsText(session.actors());
    case 's': {
      const state = session.state(argument);
      return state === null
        ? `There is no actor ${argument} here.`
        : JSON.stringify(state, null, 2);
    }
    default:
      return help;
  }
  return placeText(session);
}

/** Moves at least once, to a step where a breakpoint holds or to the end. */
function toBreakpoint({ session, breakpoints }: Stepper, move: () => boolean): void {
  while (move()) {
    const { current } = session;
    if (current !== null && breakpoints.some((holds) => holds(current))) return;
  }
}

function placeText({ current, divergence, position, length }: ReplaySession): string {
  const here = current === null ? `At the beginning of ${length} events.` : stepText(current);
  if (divergence !== null) return `${here}\n${divergenceText(divergence)}`;
  return position === length ? `${here}\nAt the end.` : here;
}

/** Why a replay cannot go on. */
export function divergenceText({
  sequence,
  expected,
  actual,
  difference,
  state,
}: NonNullable<ReplaySession['divergence']>): string {
  return [
    `Here the replay diverges, at event ${sequence}.`,
    `expected ${expected}`,
    `actual   ${actual}`,
    difference,
    ...stateLines(state),
  ].join('\n');
}
