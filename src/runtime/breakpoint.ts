/**
 * Where a replay stops: at events of a type, of an actor, at a state, or where
 * an expression holds.
 */
import { createContext, Script } from 'node:vm';
import { RuntimeError } from '../kernel/errors.ts';
import type { ReplayedStep } from './replay-session.ts';

export type Breakpoint = (step: ReplayedStep) => boolean;

/** An expression that takes longer than this is given up. */
const expressionMsMax = 1_000;

/**
 * A breakpoint from its text: `type=retry`, `actor=run/document-1` (with `*`
 * for any part of a name), `state=waiting`, or `where=EXPRESSION`, JavaScript
 * over `event`, `state`, `actor`, `sequence` and `changes`.
 * @throws RuntimeError USAGE
 */
export function parseBreakpoint(text: string): Breakpoint {
  const [, kind, wanted = ''] = /^(type|actor|state|where)=(.+)$/s.exec(text) ?? [];
  switch (kind) {
    case 'type':
      return ({ event }) => event.event.type === wanted;
    case 'actor': {
      const pattern = new RegExp(`^${wanted.split('*').map(escaped).join('.*')}$`);
      return ({ event }) => pattern.test(event.actor);
    }
    case 'state':
      return ({ state }) => textOf(state.value) === wanted;
    case 'where':
      return expression(wanted);
    default:
      throw new RuntimeError(
        'USAGE',
        `Not a breakpoint: ${JSON.stringify(text.slice(0, 80))}; give type=…, actor=…, state=… or where=….`,
      );
  }
}

/** The owner's own expression on the owner's own machine: it needs no sandbox, only an end. */
function expression(source: string): Breakpoint {
  const script = compile(source);
  return ({ event, state, changes }) => {
    const { actor, sequence } = event;
    // Copies, so that an expression that assigns changes nothing but them.
    const context = createContext(
      structuredClone({ event: event.event, state, actor, sequence, changes }),
    );
    try {
      return Boolean(script.runInContext(context, { timeout: expressionMsMax }));
    } catch (cause) {
      throw refused(source, cause);
    }
  };
}

function compile(source: string): Script {
  try {
    return new Script(`(${source}\n)`);
  } catch (cause) {
    throw refused(source, cause);
  }
}

function refused(source: string, cause: unknown): RuntimeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new RuntimeError(
    'USAGE',
    `The expression ${JSON.stringify(source.slice(0, 80))} cannot be evaluated (${why}); correct it.`,
    { cause },
  );
}

/** A state's value as text: `waiting`, or JSON where it is nested. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
