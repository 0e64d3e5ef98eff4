/**
 * Single bits that flip anywhere in what is written and marked: each is found
 * and located, by both readers, by a start and by a verification, and none
 * makes any of them fail otherwise. JOURNAL_FLIPS says how many.
 */
import { expect, test } from 'vitest';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { recover } from '../../src/journal/recovery.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { segmentBytesOf, thrownBy } from '../journal/journal-fixture.ts';
import {
  journalSegment,
  journalsSegments,
  type MarkedGroup,
  type MarkedJournal,
  markedJournal,
} from '../journal/marked-journal.ts';
import { runPython } from '../journal/python.ts';
import { SimulatedDisk } from '../journal/simulated-disk.ts';
import { seededRandom } from './seeded-random.ts';

const flips = Number(process.env.JOURNAL_FLIPS ?? 1_000);
const headerBytes = 128;

interface Flip {
  readonly segment: number;
  readonly offset: number;
  readonly bit: number;
  /** Where the damage has to be found: in a group, or in the header of a segment. */
  readonly group: MarkedGroup | null;
  readonly lastGoodSequence: number;
}

/** A bit of the headers and groups, each byte being as likely as any other. */
function chooseFlips({ groups }: MarkedJournal, count: number): Flip[] {
  const random = seededRandom(20_260_101);
  const headers = Array.from({ length: journalsSegments(groups) }, (_, index) => {
    const first = groups.find(({ segment }) => segment === index + 1);
    const lastGoodSequence = (first?.sequence ?? 0) - 1;
    return { segment: index + 1, offset: 0, end: headerBytes, group: null, lastGoodSequence };
  });
  const bodies = groups.map((group) => ({
    ...group,
    group,
    lastGoodSequence: group.sequence - 1,
  }));
  const parts = [...headers, ...bodies];
  const total = parts.reduce((sum, part) => sum + part.end - part.offset, 0);
  return Array.from({ length: count }, () => {
    let at = Math.floor(random() * total);
    for (const { segment, offset, end, group, lastGoodSequence } of parts) {
      const bit = Math.floor(random() * 8);
      if (at < end - offset) return { segment, offset: offset + at, bit, group, lastGoodSequence };
      at -= end - offset;
    }
    throw new Error('a byte was chosen');
  });
}

interface Found {
  readonly segment: number;
  readonly offset: number;
  readonly lastGoodSequence?: number;
}

/** What is wrong with the place where a flip was found; null when nothing is. */
function misplaced(flip: Flip, found: Found | null | undefined): string | null {
  if (found === null || found === undefined) return 'not found';
  const { group, segment, lastGoodSequence } = flip;
  if (found.segment !== segment) return `in segment ${found.segment}`;
  const [from, to] = group === null ? [0, headerBytes] : [group.offset, group.end];
  if (found.offset < from || found.offset >= to) return `at offset ${found.offset}`;
  // A start that cannot read a header does not say what was good before.
  const good = found.lastGoodSequence ?? lastGoodSequence;
  return good === lastGoodSequence ? null : `behind sequence ${good}`;
}

test(`${flips} flipped bits are all found and located by everything that reads`, () => {
  const journal = markedJournal({ groups: 30, segmentBytes: 16 * 1024 });
  const { folder } = journal;
  const segments = journalsSegments(journal.groups);
  expect(segments).toBeGreaterThanOrEqual(2);
  const chosen = chooseFlips(journal, flips);
  const whole = Array.from({ length: segments }, (_, index) => segmentBytesOf(folder, index + 1));
  const wrong: string[] = [];
  const note = (flip: Flip, who: string, found: Found | null | undefined): void => {
    const what = misplaced(flip, found);
    if (what === null) return;
    wrong.push(
      `${who}: bit ${flip.bit} of byte ${flip.offset} in segment ${flip.segment}: ${what}`,
    );
  };

  for (const flip of chosen) {
    const disk = new SimulatedDisk(
      new Map(
        whole.map((bytes, index) => [
          journalSegment(folder, index + 1),
          flipped(bytes, index, flip),
        ]),
      ),
    );
    const { faults, ok } = verifyJournal(folder, disk);
    note(flip, 'verify', ok ? null : faults[0]);
    expect(faults).toHaveLength(1);
    const readers = {
      start: () => recover(folder, disk),
      reader: () => JournalReader.open(folder, { files: disk, verifyDigests: true }).advance(),
    };
    for (const [who, read] of Object.entries(readers)) {
      const { code, details } = thrownBy(read);
      expect(code).toBe('JOURNAL_CORRUPT');
      note(flip, who, details as unknown as Found);
    }
  }

  const input = JSON.stringify({
    folder,
    flips: chosen.map(({ segment, offset, bit }) => [segment, offset, bit]),
  });
  const { lines, status } = runPython('test/journal/flip_bits.py', [], input);
  expect(status).toBe(0);
  const verdicts = lines[0] as (Found | null)[];
  expect(verdicts).toHaveLength(flips);
  for (const [index, flip] of chosen.entries()) note(flip, 'python', verdicts[index]);

  expect(wrong).toEqual([]);
}, 600_000);

function flipped(bytes: Buffer, index: number, { segment, offset, bit }: Flip): Buffer {
  if (segment !== index + 1) return bytes;
  const copy = Buffer.from(bytes);
  copy[offset] = (copy[offset] ?? 0) ^ (1 << bit);
  return copy;
}
