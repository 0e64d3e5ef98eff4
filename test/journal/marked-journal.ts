/** Journals whose every byte below the end is proven durable, and where their groups lie. */
import { journalFolder } from '../../src/journal/data-folders.ts';
import type { FilePort } from '../../src/journal/file-port.ts';
import { JournalWriter } from '../../src/journal/journal-writer.ts';
import { segmentPath } from '../../src/journal/segment.ts';
import { EventChain, eventBatch, temporaryFolder } from './journal-fixture.ts';

/** A group below the last mark. */
export interface MarkedGroup {
  readonly segment: number;
  readonly offset: number;
  /** Offset behind it. */
  readonly end: number;
  /** Sequence of its first record. */
  readonly sequence: number;
}

export interface MarkedJournal {
  readonly folder: string;
  readonly groups: readonly MarkedGroup[];
  readonly lastSequence: number;
}

/** Groups of two events each, and a mark. */
export function markedJournal(options: {
  readonly groups: number;
  readonly segmentBytes: number;
  readonly files?: FilePort;
}): MarkedJournal {
  const folder = temporaryFolder();
  const { segmentBytes, files } = options;
  const writer = JournalWriter.open(folder, {
    segmentBytes,
    ...(files === undefined ? {} : { files }),
  });
  const source = new EventChain();
  const groups = Array.from({ length: options.groups }, (): MarkedGroup => {
    const before = writer.committed;
    const after = writer.writeGroup([eventBatch(source, 2, 40)]).committed;
    const rolled = after.segment !== before.segment;
    const offset = rolled ? 128 : before.offset;
    return { segment: after.segment, offset, end: after.offset, sequence: before.sequence + 1 };
  });
  const { sequence } = writer.mark(1);
  writer.close();
  return { folder, groups, lastSequence: sequence };
}

export function journalSegment(folder: string, number: number): string {
  return segmentPath(journalFolder(folder), number);
}

/** Number of segments that the groups lie in. */
export function journalsSegments(groups: readonly MarkedGroup[]): number {
  return new Set(groups.map(({ segment }) => segment)).size;
}
