/**
 * Loaded into every thread by `--import`: lets the host threads die at exact
 * points of their work. FATAL_POINTS is a list of `point:count`; each host that
 * starts takes the next one (a file in FATAL_FOLDER says which are taken, and how
 * much heap the host may take) and
 * ends at its `count`th passage, or runs out of memory there. FATAL_ACTOR names an
 * actor at whose first event every host dies.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { isMainThread, threadName } from 'node:worker_threads';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { JournalProducer } from '../../src/journal/journal-producer.ts';
import { limits } from '../../src/kernel/limits.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';
import { ActorHost } from '../../src/runtime/actor-host.ts';

type Method = (...given: never[]) => unknown;

function die(): never {
  process.exit(1);
  // Until the thread really ends nothing more is done.
  for (;;);
}

/** Takes heap, a little at a time, until the thread has no more. */
function starve(): never {
  let kept: object = {};
  for (;;) kept = { kept };
}

function tryTake(index: number): boolean {
  try {
    const heapBytesMax = String(getHeapStatistics().heap_size_limit);
    const path = join(process.env.FATAL_FOLDER ?? '', String(index));
    writeFileSync(path, heapBytesMax, { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

/** Dies at the `count`th call of the method, before or after what it does. */
function dieAt(
  prototype: object,
  name: string,
  when: 'before' | 'after',
  count: number,
  end: () => never = die,
): void {
  const methods = prototype as Record<string, Method>;
  const method = methods[name] as Method;
  let left = count;
  methods[name] = function (this: unknown, ...given) {
    left -= 1;
    if (left === 0 && when === 'before') end();
    const result = method.apply(this, given);
    if (left === 0) end();
    return result;
  };
}

const points: Record<string, (count: number) => void> = {
  'before-append': (count) => dieAt(JournalProducer.prototype, 'append', 'before', count),
  'after-append': (count) => dieAt(JournalProducer.prototype, 'append', 'after', count),
  claimed: (count) => dieAt(ManyToOneRingBuffer.prototype, 'commit', 'before', count),
  published: (count) => dieAt(ManyToOneRingBuffer.prototype, 'commit', 'after', count),
  'mail-taken': (count) => dieAt(ActorHost.prototype, 'deliver', 'before', count),
  'outcome-taken': (count) => dieAt(ActorHost.prototype, 'deliverOutcome', 'before', count),
  adopting: (count) => dieAt(ActorHost.prototype, 'adopt', 'before', count),
  asleep: (count) => dieAt(ActorDirectory.prototype, 'hibernate', 'after', count),
  waking: (count) => dieAt(ActorDirectory.prototype, 'claim', 'after', count),
  'starved-waking': (count) => dieAt(ActorDirectory.prototype, 'claim', 'after', count, starve),
};

function dieAtFirstEventOf(actor: string): void {
  const { append } = JournalProducer.prototype;
  JournalProducer.prototype.append = function (records) {
    const isFatal = records.some(
      (record) => record.type === 'event' && record.actor === actor && record.actorSequence === 1,
    );
    return isFatal ? die() : append.call(this, records);
  };
}

const heapMiB = process.env.FATAL_HEAP_MIB;
// The main thread says how much heap a host gets.
if (isMainThread && heapMiB !== undefined)
  Object.assign(limits, { hostHeapMiBMax: Number(heapMiB) });

if (!isMainThread && threadName?.startsWith('host-') === true) {
  const planned = (process.env.FATAL_POINTS ?? '').split(',').filter((each) => each !== '');
  const index = planned.findIndex((_, candidate) => tryTake(candidate));
  const [point = '', count] = planned[index]?.split(':') ?? [];
  points[point]?.(Number(count));
  const actor = process.env.FATAL_ACTOR;
  if (actor !== undefined) dieAtFirstEventOf(actor);
}
