import { describe, expect, test } from 'vitest';
import { ProgressView } from '../../src/cli/progress-view.ts';
import { foldRunProgress, newRunProgress } from '../../src/cli/run-progress.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import type { EventView } from '../../src/runtime/views.ts';

function eventOf(event: JsonObject): EventView {
  return {
    sequence: 1,
    actor: 'run',
    actorSequence: 1,
    machine: 'pipeline',
    time: 0,
    cause: null,
    event,
    actorHash: '',
    stateHash: '',
    intentions: [],
  };
}

const start = eventOf({
  type: 'start',
  scope: 'run',
  definition: JSON.stringify({
    steps: [{ id: 'triage', map: 'documents' }, { id: 'report' }],
  }),
  documents: [{ name: 'a' }, { name: 'b' }, { name: 'c' }, { name: 'd' }],
});

function done(step: string, verdict = 'accepted'): EventView {
  return eventOf({ type: 'step-done', step, result: { verdict } });
}

class Screen {
  text = '';
  readonly columns = 60;
  readonly isTTY: boolean;

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }
}

describe('the fold', () => {
  test('counts the steps of a document that were never run', () => {
    const progress = newRunProgress();
    const over = eventOf({ type: 'document-done', index: 0, notRun: ['triage'] });
    for (const event of [start, done('triage'), over]) foldRunProgress(progress, event);
    expect(progress.steps[0]).toEqual({ step: 'triage', done: 2, total: 4, doubtful: 1 });
  });

  test('counts each step against its documents, and its doubtful results', () => {
    const progress = newRunProgress();
    const events = [
      start,
      done('triage'),
      done('triage', 'flagged'),
      eventOf({ type: 'retry' }),
      done('report', 'escalated'),
      done('unknown'),
    ];
    for (const event of events) foldRunProgress(progress, event);
    expect(progress).toEqual({
      steps: [
        { step: 'triage', done: 2, total: 4, doubtful: 1 },
        { step: 'report', done: 1, total: 1, doubtful: 1 },
      ],
      retries: 1,
      events: 6,
    });
  });

  test('the start of a document is not the start of the run', () => {
    const progress = newRunProgress();
    foldRunProgress(progress, start);
    foldRunProgress(progress, eventOf({ type: 'start', scope: 'document', definition: '{}' }));
    expect(progress.steps).toHaveLength(2);
  });

  test('events that it does not understand are counted and harmless', () => {
    const progress = newRunProgress();
    for (const event of [
      { type: 'start', scope: 'run', definition: 'no JSON', documents: [] },
      { type: 'step-done' },
      { type: 'step-done', step: 'x', result: 'text' },
      {},
    ]) {
      foldRunProgress(progress, eventOf(event));
    }
    expect(progress).toEqual({ steps: [], retries: 0, events: 4 });
  });
});

describe('the view', () => {
  test('redraws one bar for each step in place on a terminal, at most every 80 ms', () => {
    const screen = new Screen(true);
    const clock = new ManualClock();
    const view = new ProgressView(screen, clock);
    view.onEvent(start);
    const first = screen.text;
    expect(first).toContain('triage');
    expect(first).not.toContain('\u001b[3A');
    view.onEvent(done('triage'));
    expect(screen.text).toBe(first);
    clock.advance(100);
    view.onEvent(done('triage', 'flagged'));
    const second = screen.text.slice(first.length);
    expect(second).toContain('\u001b[3A');
    expect(second).toMatch(/triage █{12}░{12} {3}2\/4 {2}1 in doubt/);
  });

  test('the last state stays on the screen', () => {
    const screen = new Screen(true);
    const view = new ProgressView(screen, new ManualClock());
    for (const event of [start, done('report')]) view.onEvent(event);
    view.finish();
    expect(screen.text).toMatch(/report █{24} {3}1\/1/);
  });

  test('elsewhere it writes plain lines now and then, without control codes', () => {
    const screen = new Screen(false);
    const view = new ProgressView(screen, new ManualClock());
    const documents = Array.from({ length: 200 }, () => ({ name: 'a' }));
    view.onEvent(eventOf({ ...start.event, documents }));
    for (let index = 0; index < 200; index += 1) view.onEvent(done('triage'));
    view.onEvent(done('report'));
    view.finish();
    const lines = screen.text.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.length).toBeLessThanOrEqual(21);
    expect(lines.at(-1)).toContain('201/201 steps');
    expect(screen.text).not.toContain('\u001b');
    expect(screen.text).not.toContain('\r');
  });
});
