import { beforeEach, describe, expect, test } from 'vitest';
import { type BusOrder, busTable } from '../../src/cli/bus-table.ts';
import { InMemoryRuntime } from '../api/in-memory-runtime.ts';

let runtime: InMemoryRuntime;

beforeEach(() => {
  runtime = new InMemoryRuntime();
});

function table(order: BusOrder = 'bus', widthMax = 200): string[] {
  return busTable(runtime.bus(), { order, widthMax });
}

/** The cells of the row that begins with `name`, by the titles of its table. */
function row(title: string, name: string): Record<string, string> {
  const lines = table();
  const header = lines.findIndex((line) => line.startsWith(title));
  const titles = (lines[header] ?? '').split(/\s+/);
  const cells = (lines.slice(header).find((line) => line.startsWith(name)) ?? '').split(/\s+/);
  return Object.fromEntries(titles.map((text, index) => [text, cells[index] ?? '']));
}

/** Names of the rows under a title, in order. */
function names(order: BusOrder, title: string): string[] {
  const lines = table(order);
  const header = lines.findIndex((line) => line.startsWith(title));
  const rows = lines.slice(header + 1);
  return rows.slice(0, rows.indexOf('')).map((line) => line.split(' ')[0] ?? '');
}

describe('an inbox', () => {
  test('shows each of its numbers under its own title', () => {
    const { left, depths } = runtime.countedBus;
    for (let index = 0; index < 6; index += 1) {
      left.received(0, 2_048);
      left.latency(0, 12);
    }
    left.latency(0, 4_500);
    left.wakeUp();
    left.wakeUp();
    left.depth(700);
    left.outbox(9);
    for (let index = 0; index < 8; index += 1) left.published(1, 1);
    left.refused(1);
    for (let index = 0; index < 2; index += 1) left.shed(1);
    for (let index = 0; index < 3; index += 1) left.denied(1);
    for (let index = 0; index < 4; index += 1) left.deadLettered(1);
    left.corrupt();
    left.handlerFailed();
    left.missing(3);
    depths.set(0, 512);
    expect(row('INBOX', 'left')).toEqual({
      INBOX: 'left',
      'MSG/S': '3',
      'BYTES/S': '6K',
      P50: '12µs',
      P99: '4.5ms',
      DEPTH: '512',
      PEAK: '700',
      'WAKE/S': '1',
      REFUSED: '1',
      SHED: '2',
      DENIED: '3',
      DEAD: '4',
      FAULTS: '5',
      OUTBOX: '9',
      'SENT/S': '4',
      ROOM: '1K',
    });
  });

  test('counts the gaps of dead producers as faults', () => {
    expect(row('INBOX', 'right').FAULTS).toBe('7');
  });

  test('of a ring beside the bus has no outbox', () => {
    runtime.countedBus.side.writer(1).received(0, 4_096);
    expect(row('INBOX', 'log')).toMatchObject({ 'BYTES/S': '2K', DEPTH: '5', OUTBOX: '-' });
  });
});

test('a topic shows what it carried and what it lost; silent ones are counted', () => {
  const { left, right } = runtime.countedBus;
  right.deferred(1);
  right.published(1, 30);
  left.received(1, 30);
  expect(row('TOPIC', 'tock')).toEqual({
    TOPIC: 'tock',
    'MSG/S': '0.5',
    'BYTES/S': '15',
    P50: '-',
    P99: '-',
    TOTAL: '1',
    WAITED: '1',
    REFUSED: '0',
    SHED: '0',
    DENIED: '0',
    DEAD: '0',
  });
  expect(table()).toContain('topics without traffic: 1');
  expect(table().some((line) => line.startsWith('tick'))).toBe(false);
});

test('a topic that was only ever refused is not silent', () => {
  runtime.countedBus.left.refused(0);
  expect(row('TOPIC', 'tick').REFUSED).toBe('1');
});

test.each([
  ['bus', ['left', 'right', 'log']],
  ['messages', ['right', 'left', 'log']],
  ['bytes', ['log', 'right', 'left']],
  ['latency', ['left', 'right', 'log']],
  ['depth', ['right', 'log', 'left']],
] as const)('sorted by %s the rows are %j', (order, expected) => {
  const { left, right, side, depths } = runtime.countedBus;
  left.received(0, 1);
  left.latency(0, 100);
  for (let index = 0; index < 3; index += 1) right.received(0, 5);
  right.latency(0, 20);
  side.writer(0).received(0, 900);
  depths.set(7, 64);
  expect(names(order, 'INBOX')).toEqual(expected);
});

test('a narrow terminal gets whole columns, and is told that there are more', () => {
  const lines = table('bus', 50);
  expect(Math.max(...lines.slice(1).map((line) => line.length))).toBeLessThanOrEqual(50);
  expect(lines.find((line) => line.startsWith('INBOX'))).toMatch(/DEPTH {2}PEAK$/);
  expect(lines).toContain('columns for a wider terminal: 9');
});

test('the arena shows the classes of slabs that were ever used', () => {
  const unused = {
    slabBytes: 65_536,
    slabs: 4,
    slabsLive: 0,
    slabsHighWater: 0,
    bytesLive: 0,
    refusals: 0,
  };
  const used = { ...unused, slabBytes: 4_096, slabsLive: 1, slabsHighWater: 3, bytesLive: 2_048 };
  runtime.countedBus.arena = { statistics: () => [used, { ...unused, refusals: 5 }] };
  const lines = table();
  expect(lines).toContain('ARENA  2K of 272K live   refused 5');
  expect(lines).toContain('slabs live/ever/all   4K 1/3/4');
});

test('the latest dead letters are shown, and their text commands no terminal', () => {
  const letter = {
    reason: 'no-handler',
    detail: '',
    topic: 'tock',
    from: 'left',
    to: 'right',
    reporter: 'right',
    lengthBytes: 3_072,
  };
  const hostile = { ...letter, detail: '\u001b[2Jgone\u0007', topic: null, from: null };
  runtime.deadLetters = { total: 41, latest: [letter, letter, letter, letter, hostile] };
  expect(table().slice(-4)).toEqual([
    'DEAD LETTERS  41, the latest:',
    'no-handler  tock  left to right  3K bytes',
    'no-handler  tock  left to right  3K bytes',
    'no-handler  ?  ? to right  3K bytes  ?[2Jgone?',
  ]);
});
