/**
 * A view of the bus as lines of text: its threads with their inboxes, the rings
 * beside them, its topics, the arena, and the latest dead letters.
 *
 * Rates and latencies are of the view's window. Refusals and faults are totals,
 * because the one that happened an hour ago is the one that is looked for.
 */
import type { BusView } from '../runtime/bus-view.ts';
import { bytesText, countText, latencyText } from './quantity.ts';
import { type TextColumn, type TextTable, textTable } from './text-table.ts';

/** What the rows are sorted by; the busiest first, or in the order of the bus. */
export type BusOrder = 'bus' | 'messages' | 'bytes' | 'latency' | 'depth';

interface TableOptions {
  readonly order: BusOrder;
  /** Characters of a line. */
  readonly widthMax: number;
}

type ThreadRow = BusView['threads'][number];
type RingRow = BusView['sideRings'][number];
type TopicRow = BusView['topics'][number];
type Traffic = ThreadRow | RingRow | TopicRow;
type InboxRow = ThreadRow | RingRow;

const deadLettersShown = 3;

const rateColumns: readonly TextColumn<Traffic>[] = [
  { title: 'MSG/S', cell: ({ received }) => countText(received.perSecond) },
  { title: 'BYTES/S', cell: ({ receivedBytes }) => bytesText(receivedBytes.perSecond) },
  { title: 'P50', cell: ({ latency }) => latencyText(latency?.p50Us) },
  { title: 'P99', cell: ({ latency }) => latencyText(latency?.p99Us) },
];

const refusalColumns: readonly TextColumn<Traffic>[] = [
  { title: 'REFUSED', cell: ({ refused }) => countText(refused.total) },
  { title: 'SHED', cell: ({ shed }) => countText(shed.total) },
  { title: 'DENIED', cell: ({ denied }) => countText(denied.total) },
  { title: 'DEAD', cell: ({ deadLettered }) => countText(deadLettered.total) },
];

const inboxColumns: readonly TextColumn<InboxRow>[] = [
  { title: 'INBOX', cell: ({ name }) => name },
  ...rateColumns,
  { title: 'DEPTH', cell: ({ depthBytes }) => bytesText(depthBytes) },
  { title: 'PEAK', cell: ({ depthBytesMax }) => bytesText(depthBytesMax) },
  { title: 'WAKE/S', cell: ({ wakeUps }) => countText(wakeUps.perSecond) },
  ...refusalColumns,
  { title: 'FAULTS', cell: (row) => countText(faultsOf(row)) },
  { title: 'OUTBOX', cell: (row) => ('outboxFrames' in row ? countText(row.outboxFrames) : '-') },
  { title: 'SENT/S', cell: ({ published }) => countText(published.perSecond) },
  { title: 'ROOM', cell: ({ capacityBytes }) => bytesText(capacityBytes) },
];

const topicColumns: readonly TextColumn<TopicRow>[] = [
  { title: 'TOPIC', cell: ({ name }) => name },
  ...rateColumns,
  { title: 'TOTAL', cell: ({ received }) => countText(received.total) },
  { title: 'WAITED', cell: ({ deferred }) => countText(deferred.total) },
  ...refusalColumns,
];

/** Frames that were damaged, missing or mishandled, and claims that dead threads left. */
function faultsOf(row: InboxRow): number {
  const { gapsSkipped } = row;
  return 'corrupt' in row
    ? row.corrupt + row.handlerFailed + row.missing + gapsSkipped
    : gapsSkipped;
}

/** The view as lines, each at most `widthMax` wide where its first column allows. */
export function busTable(view: BusView, { order, widthMax }: TableOptions): string[] {
  const inboxes = textTable(
    inboxColumns,
    sorted<InboxRow>([...view.threads, ...view.sideRings], order),
    widthMax,
  );
  const used = view.topics.filter(isUsed);
  const topics = textTable(topicColumns, sorted(used, order), widthMax);
  const silent = view.topics.length - used.length;
  return [
    summary(view),
    '',
    ...inboxes.lines,
    '',
    ...topics.lines,
    ...(silent === 0 ? [] : [`topics without traffic: ${silent}`]),
    ...omission(inboxes, topics),
    ...arenaLines(view.arena),
    ...deadLetterLines(view.deadLetters),
    // What a damaged frame brings along must not command the terminal.
  ].map((line) => line.replace(/\p{Cc}/gu, '?'));
}

function summary({ windowMs, threads }: BusView): string {
  const messages = sum(threads, ({ received }) => received.perSecond);
  const bytes = sum(threads, ({ receivedBytes }) => receivedBytes.perSecond);
  const total = sum(threads, ({ received }) => received.total);
  return [
    `${countText(messages)} messages/s`,
    `${bytesText(bytes)} bytes/s`,
    `${countText(total)} messages since the start`,
    `rates of the last ${(windowMs / 1_000).toFixed(1)} s`,
  ].join('   ');
}

function isUsed(topic: TopicRow): boolean {
  const { published, received, refused, shed, denied, deadLettered, deferred } = topic;
  return [published, received, refused, shed, denied, deadLettered, deferred].some(
    ({ total }) => total > 0,
  );
}

function omission(...tables: readonly TextTable[]): string[] {
  const omitted = Math.max(...tables.map((table) => table.omitted));
  return omitted === 0 ? [] : [`columns for a wider terminal: ${omitted}`];
}

function arenaLines(arena: BusView['arena']): string[] {
  if (arena === null) return [];
  const { bytesLive, capacityBytes, refusals, classes } = arena;
  const used = classes
    .filter(({ slabsHighWater }) => slabsHighWater > 0)
    .map(
      ({ slabBytes, slabsLive, slabsHighWater, slabs }) =>
        `${bytesText(slabBytes)} ${slabsLive}/${slabsHighWater}/${slabs}`,
    );
  return [
    '',
    `ARENA  ${bytesText(bytesLive)} of ${bytesText(capacityBytes)} live   refused ${countText(refusals)}`,
    used.length === 0 ? 'no slab was used yet' : `slabs live/ever/all   ${used.join('   ')}`,
  ];
}

function deadLetterLines({ total, latest }: BusView['deadLetters']): string[] {
  if (total === 0) return [];
  return [
    '',
    `DEAD LETTERS  ${countText(total)}, the latest:`,
    ...latest.slice(-deadLettersShown).map(({ reason, topic, from, to, lengthBytes, detail }) => {
      const what = `${reason}  ${topic ?? '?'}  ${from ?? '?'} to ${to ?? '?'}`;
      return `${what}  ${bytesText(lengthBytes)} bytes  ${detail}`.trimEnd();
    }),
  ];
}

/** Stable: equals stay in the order of the bus. */
function sorted<Row extends Traffic>(rows: readonly Row[], order: BusOrder): readonly Row[] {
  const weight = weights[order];
  return weight === null ? rows : rows.toSorted((a, b) => weight(b) - weight(a));
}

const weights: Readonly<Record<BusOrder, ((row: Traffic) => number) | null>> = {
  bus: null,
  messages: ({ received }) => received.perSecond,
  bytes: ({ receivedBytes }) => receivedBytes.perSecond,
  latency: ({ latency }) => latency?.p99Us ?? -1,
  depth: (row) => ('depthBytes' in row ? row.depthBytes : 0),
};

function sum<T>(values: readonly T[], pick: (value: T) => number): number {
  return values.reduce((total, value) => total + pick(value), 0);
}
