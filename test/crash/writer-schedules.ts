/**
 * One random life after another of a journal on a disk that fails: batches,
 * commits, syncs and marks, until an operation of the disk fails or the power
 * goes; then what is left is read and compared with what was promised.
 *
 * Invariants
 *   C1. What is found is what was handed in, in its order, without a gap, up to
 *       some batch.
 *   C2. What was acknowledged is among it: after a power cut what was durable,
 *       after a kill also what was only committed. What a start finds is
 *       durable once it has begun.
 *   C3. The next start finds no corruption and goes on.
 */
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { type JournalMode, JournalWriter } from '../../src/journal/journal-writer.ts';
import { type AppendRecord, recordDigest } from '../../src/journal/record.ts';
import { actorId } from '../../src/kernel/ids.ts';
import { encodeBatch, testRun } from '../journal/journal-fixture.ts';
import { type DiskOperation, type Outcome, SimulatedDisk } from '../journal/simulated-disk.ts';

const segmentBytes = 16 * 1024;
const actors = ['run', 'run/a', 'run/a/b'];
/** Few sizes, so that what an earlier life left lies where a later one goes on. */
const bodyBytes = [40, 600, 1_800];

/** What happened in all lives of one schedule. */
export interface Tally {
  lives: number;
  events: number;
  acknowledged: number;
  lost: number;
  powerCuts: number;
  kills: number;
  failures: number;
  segments: number;
  bytesCut: number;
}

export function newTally(): Tally {
  return {
    lives: 0,
    events: 0,
    acknowledged: 0,
    lost: 0,
    powerCuts: 0,
    kills: 0,
    failures: 0,
    segments: 0,
    bytesCut: 0,
  };
}

/** Events handed in so far, and how many of them a crash must leave. */
class Promises {
  /** Digests of events, in the order of the journal. */
  readonly handedIn: string[];
  /** Ends of batches, as numbers of events. */
  readonly batchEnds: Set<number>;
  /** Of all actors: the last sequence and digest. */
  readonly ends: Found['ends'];
  staged: number;
  committed: number;
  /** Of those, how many a power cut must leave. */
  durable: number;

  /** Goes on from what was found, of which so many are known to be durable. */
  constructor(found: Found, durable: number) {
    this.handedIn = [...found.digests];
    this.batchEnds = new Set(found.batchEnds);
    this.ends = new Map(found.ends);
    this.staged = found.digests.length;
    this.committed = found.digests.length;
    this.durable = durable;
  }

  batch(random: () => number): AppendRecord[] {
    const count = 1 + Math.floor(random() * 4);
    const records = Array.from({ length: count }, () => this.#event(random));
    this.staged = this.handedIn.length;
    this.batchEnds.add(this.staged);
    return records;
  }

  #event(random: () => number): AppendRecord {
    const actor = choice(actors, random);
    const last = this.ends.get(actor);
    const sequence = (last?.sequence ?? 0) + 1;
    const record: AppendRecord = {
      type: 'event',
      run: testRun,
      actor: actorId(actor),
      actorSequence: sequence,
      epoch: 1,
      cause: null,
      timeMs: this.handedIn.length,
      previousDigest: last?.digest ?? null,
      // Noise, so that a sector in a wrong place is seen.
      body: Buffer.alloc(choice(bodyBytes, random), String(random())),
    };
    const digest = recordDigest(record);
    this.ends.set(actor, { sequence, digest });
    this.handedIn.push(digest.toString('hex'));
    return record;
  }
}

function choice<T>(all: readonly T[], random: () => number): T {
  return all[Math.floor(random() * all.length)] as T; // There is one.
}

class PowerCut extends Error {}

export interface Schedule {
  readonly random: () => number;
  readonly mode: JournalMode;
  /** Folder that exists; the files are on the simulated disk. */
  readonly folder: string;
  readonly lives: number;
}

/**
 * @returns what is wrong, or null.
 */
export function runSchedule(schedule: Schedule, tally: Tally): string | null {
  const { random, folder, lives } = schedule;
  let disk = new SimulatedDisk();
  let found: Found = { digests: [], ends: new Map(), batchEnds: new Set([0]) };
  let durable = 0;
  for (let life = 0; life < lives; life += 1) {
    tally.lives += 1;
    const promises = new Promises(found, durable);
    const problem = live(schedule, disk, promises, tally);
    if (problem !== null) return problem;
    const cut = random() < 0.7;
    tally[cut ? 'powerCuts' : 'kills'] += 1;
    disk = cut ? disk.afterCrash(random) : disk.afterKill();
    const promised = cut ? promises.durable : promises.committed;
    tally.events += promises.handedIn.length - found.digests.length;
    tally.acknowledged += Math.max(0, promised - found.digests.length);
    // Looked at on a copy, so that the next life begins with the disk as it was left.
    const read = readBack(disk.afterKill(), folder, tally);
    if (typeof read === 'string') return read;
    const wrong = compare(promises, read.digests, promised);
    if (wrong !== null) return wrong;
    tally.lost += promises.handedIn.length - read.digests.length;
    const kept = read.digests.length;
    const batchEnds = new Set([...promises.batchEnds].filter((end) => end <= kept));
    found = { ...read, batchEnds };
    durable = cut ? kept : promises.durable;
  }
  tally.segments += disk.list(`${folder}/journal`).length;
  return null;
}

/** Writes until the disk fails. */
function live(
  { random, mode, folder }: Schedule,
  disk: SimulatedDisk,
  promises: Promises,
  tally: Tally,
): string | null {
  let left = 1 + Math.floor(random() * 60);
  disk.decide = (operation): Outcome => {
    left -= 1;
    if (left < 0) throw new PowerCut();
    return outcomeOf(operation, left === 0, random);
  };
  let writer: JournalWriter | null = null;
  try {
    // In a burst segments have holes instead of zeros.
    const burstGroupBytes = random() < 0.5 ? 1 : segmentBytes;
    writer = JournalWriter.open(folder, { files: disk, segmentBytes, mode, burstGroupBytes });
    promises.durable = promises.committed; // (C2)
    for (;;) {
      const problem = act(writer, promises, { random, mode });
      if (problem !== null) return problem;
    }
  } catch {
    // The writer says DISK_FULL or JOURNAL_FAILED for whatever the disk throws at it.
  }
  if (left < 0) return null;
  tally.failures += 1;
  // The disk works again; but what the failure left behind nobody knows.
  disk.decide = () => 'done';
  return writer === null || refusesAll(writer) ? null : 'a journal that failed takes more';
}

function refusesAll(writer: JournalWriter): boolean {
  const deeds = [() => writer.commit(), () => writer.sync(), () => writer.mark(1)];
  return deeds.every((deed) => {
    try {
      deed();
      return false;
    } catch {
      return true;
    }
  });
}

/** The last operation may fail or be cut in the middle; any write may be short. */
function outcomeOf(operation: DiskOperation, isLast: boolean, random: () => number): Outcome {
  if (operation.type === 'write' && (isLast || random() < 0.2)) {
    return { writes: 1 + Math.floor(random() * operation.length) };
  }
  if (!isLast) return 'done';
  return random() < 0.3 ? 'done' : { fails: choice(['EIO', 'ENOSPC', 'EROFS'], random) };
}

function act(
  writer: JournalWriter,
  promises: Promises,
  { random, mode }: { random: () => number; mode: JournalMode },
): string | null {
  const dice = random();
  if (dice < 0.5) {
    const batch = encodeBatch(promises.batch(random));
    const refusal = writer.stage(batch, 0, batch.length);
    return refusal === null ? null : `a batch was refused: ${refusal.message}`;
  }
  if (dice < 0.85) writer.commit();
  else if (dice < 0.95) {
    writer.mark(1);
    // As before a close, which may fail on its way.
    if (dice >= 0.93) writer.trim();
  } else {
    // In the relaxed mode only what was committed; in the durable mode there is nothing to do.
    writer.sync();
    promises.durable = Math.max(promises.durable, promises.committed);
    return null;
  }
  // A mark syncs what was committed before it, and then commits what was staged.
  if (mode === 'durable') promises.durable = promises.staged;
  else if (dice >= 0.85) promises.durable = Math.max(promises.durable, promises.committed);
  promises.committed = promises.staged;
  return null;
}

interface Found {
  readonly digests: string[];
  readonly ends: Map<string, { sequence: number; digest: Buffer }>;
  /** As `Promises` has them. */
  readonly batchEnds: ReadonlySet<number>;
}

/** What a start and a reader find; a sentence when that is corruption (C3). */
function readBack(
  disk: SimulatedDisk,
  folder: string,
  tally: Tally,
): Omit<Found, 'batchEnds'> | string {
  try {
    const writer = JournalWriter.open(folder, { files: disk, segmentBytes });
    tally.bytesCut += writer.recovered.bytesCut;
    writer.close();
    const reader = JournalReader.open(folder, { files: disk, verifyDigests: true });
    const digests: string[] = [];
    const ends: Found['ends'] = new Map();
    for (const record of reader.advance()) {
      if (record.type !== 'event') continue;
      digests.push(record.digest.toString('hex'));
      const { actorSequence: sequence, digest } = record;
      ends.set(record.actor ?? '', { sequence, digest: Buffer.from(digest) });
    }
    reader.close();
    return { digests, ends };
  } catch (error) {
    return `the next start failed: ${String(error)}`;
  }
}

function compare(promises: Promises, found: readonly string[], promised: number): string | null {
  const { handedIn, batchEnds } = promises;
  const differs = found.findIndex((digest, index) => digest !== handedIn[index]);
  if (differs >= 0) return `event ${differs} is not the one that was handed in`; // (C1)
  if (!batchEnds.has(found.length)) return `a batch was kept in part, up to ${found.length}`; // (C1)
  if (found.length < promised) return `of ${promised} promised events ${found.length} are there`; // (C2)
  return null;
}
