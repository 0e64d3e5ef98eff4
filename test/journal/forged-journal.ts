/** A journal that no writer would write: whole groups around whatever records it is given. */
import { journalFolder } from '../../src/journal/data-folders.ts';
import { nodeFilePort } from '../../src/journal/file-port.ts';
import { type AppendRecord, encodeRecord, recordCrc } from '../../src/journal/record.ts';
import { recordDescriptor as at, writeUint64 } from '../../src/journal/record-descriptor.ts';
import { genesisSeal, markRecord, SealHasher, sealRecord } from '../../src/journal/seal.ts';
import { createSegment, readSegmentHeader, segmentHeaderBytes } from '../../src/journal/segment.ts';

/** Writes the groups, and a mark, as the first segment of a data directory with its folders. */
export function forgeJournal(
  dataDirectory: string,
  groups: readonly (readonly AppendRecord[])[],
  segmentBytes = 64 * 1024,
): void {
  const file = createSegment(
    nodeFilePort,
    journalFolder(dataDirectory),
    { number: 1, bytes: segmentBytes, firstSequence: 1, previousSeal: genesisSeal },
    'zeros',
  );
  const header = readSegmentHeader(nodeFilePort, file, 1);
  const bytes = Buffer.alloc(segmentBytes);
  const hasher = new SealHasher();
  let end = segmentHeaderBytes;
  let sequence = 0;
  let seal = genesisSeal;
  for (const records of [...groups, [markRecord(1)]]) {
    const group = end;
    const starts: number[] = [];
    const put = (record: AppendRecord): void => {
      starts.push(end);
      end = encodeRecord(record, bytes, end);
    };
    for (const record of records) put(record);
    const next = hasher.seal(seal, bytes, starts);
    put(sealRecord(1, seal));
    next.copy(bytes, (starts.at(-1) ?? 0) + at.digestOffset);
    for (const start of starts) {
      sequence += 1;
      writeUint64(bytes, sequence, start + at.sequenceOffset);
      bytes.writeUInt32LE(group, start + at.groupOffset);
      bytes.writeUInt32LE(group, start + at.durableOffset);
      bytes.writeUInt32LE(recordCrc(bytes, start, start, header), start + at.crcOffset);
    }
    seal = next;
  }
  const range = { offset: segmentHeaderBytes, length: end - segmentHeaderBytes };
  nodeFilePort.write(file, bytes, { ...range, position: segmentHeaderBytes });
  nodeFilePort.close(file);
}
