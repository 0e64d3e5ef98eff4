import { describe, expect, onTestFinished, test } from 'vitest';
import { parseBreakpoint } from '../../src/runtime/breakpoint.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { ReplaySession } from '../../src/runtime/replay-session.ts';
import { fixtureFolder, recordedFacts } from '../journal/fixtures.ts';
import { temporaryFolder, thrownBy } from '../journal/journal-fixture.ts';
import { rewriteJournal } from './rewritten-journal.ts';

const name = 'inbox-format-2';
const { run, events, stateHash } = recordedFacts(name);

function open(actor?: string, folder = fixtureFolder(name)): ReplaySession {
  const follower = new JournalFollower(folder);
  follower.advance();
  onTestFinished(() => follower.close());
  return new ReplaySession(follower, follower.entry(run), actor);
}

/** Everything that can be seen of a session. */
function seen(session: ReplaySession): unknown {
  const actors = session.actors();
  const states = actors.map(({ actor }) => session.state(actor));
  return structuredClone({ position: session.position, current: session.current, actors, states });
}

describe('a replay session', () => {
  test('goes forward to the end, where the state hash is the recorded one', () => {
    const session = open();
    expect(session.length).toBe(events);
    while (session.forward() !== null);
    expect(session.position).toBe(events);
    expect(session.divergence).toBeNull();
    expect(session.current?.event).toMatchObject({ sequence: events, stateHash });
    // Supervisors end with their run; everybody else has finished.
    const left = session.actors().filter(({ done }) => !done);
    expect(left.every(({ machine }) => machine === 'supervisor@1')).toBe(true);
  });

  test('shows the same at every place, however it was reached', () => {
    const session = open();
    const places = [seen(session)];
    while (session.forward() !== null) places.push(seen(session));
    for (let place = events; place > 0; place -= 1) {
      expect(seen(session)).toEqual(places[place]);
      expect(session.back()).toBe(true);
    }
    expect(seen(session)).toEqual(places[0]);
    expect(session.back()).toBe(false);
    const jumping = open();
    for (const place of [40, 3, 70, 69, 0, 82, 1]) {
      jumping.goTo(place);
      expect(seen(jumping)).toEqual(places[place]);
    }
  });

  test('looks at one actor alone', () => {
    const actor = 'run/document-1/supervisor';
    const session = open(actor);
    const whole = open();
    while (session.forward() !== null) {
      expect(session.current?.event.actor).toBe(actor);
      whole.goTo(session.current?.event.sequence ?? 0);
      expect(session.state(actor)).toEqual(whole.state(actor));
    }
    expect(session.position).toBe(session.length);
    expect(session.actors()).toHaveLength(1);
    expect(thrownBy(() => open('run/nobody')).code).toBe('ACTOR_NOT_FOUND');
  });

  test('stops before the first step that diverges', () => {
    const folder = temporaryFolder();
    let left = 30;
    rewriteJournal(fixtureFolder(name), folder, (body, { type }) => {
      if (type !== 'event') return;
      left -= 1;
      if (left === 0) body.hash = '0'.repeat(64);
    });
    const session = open(undefined, folder);
    session.goTo(events);
    expect(session.position).toBe(29);
    expect(session.divergence).toMatchObject({ sequence: 30, expected: '0'.repeat(64) });
    expect(session.forward()).toBeNull();
    expect(session.back()).toBe(true);
    expect(session.forward()?.event.sequence).toBe(29);
  });
});

describe('a breakpoint', () => {
  /** Sequences at which it holds. */
  function hits(text: string): number[] {
    const session = open();
    const holds = parseBreakpoint(text);
    const found: number[] = [];
    for (let step = session.forward(); step !== null; step = session.forward()) {
      if (holds(step)) found.push(step.event.sequence);
    }
    return found;
  }

  test('holds at a type, an actor, a state or an expression', () => {
    expect(hits('type=retry')).toEqual([44]);
    expect(hits('where=event.type === "retry" && state.context.attempt === 1')).toEqual([44]);
    expect(hits('actor=run')).toEqual(hits('where=actor === "run"'));
    expect(hits('actor=run/document-*/supervisor')).toEqual(
      hits('where=/^run.document-.*.supervisor$/.test(actor)'),
    );
    expect(hits('state=doubtful')).toEqual(hits('where=state.value === "doubtful"'));
    expect(hits('state=doubtful')).toEqual([42, 76]);
    expect(hits('where=changes.some(({ path }) => path === "/context/attempt")')).toEqual([44, 52]);
    expect(hits('where=(state.value = "x", sequence = 1, false)')).toEqual([]);
    expect(hits('where=sequence % 41 === 0')).toEqual([41, 82]);
  });

  test('that is none, or cannot be evaluated, is refused', () => {
    for (const text of ['', 'retry', 'kind=x', 'type=', 'where=1 +', 'where=no.such.thing']) {
      expect(thrownBy(() => hits(text)).code).toBe('USAGE');
    }
    expect(thrownBy(() => hits('where=(() => { for (;;); })()')).code).toBe('USAGE');
  });
});
