/**
 * CRC-32 (ISO 3309, the polynomial of zlib and gzip): of the records in
 * segments from version 3 on. Node has it in native code, which is two to
 * three times as fast as a table on a large record and slower on a small one.
 */
import zlib from 'node:zlib';
import { type Checksum, slicedCrc } from './sliced-crc.ts';

/** From so many bytes on the call into native code costs less than the table. */
const nativeBytesMin = 512;

const byTable = slicedCrc(0xedb88320);

export const crc32: Checksum = (bytes, start = 0, end = bytes.length, seed = 0) =>
  end - start < nativeBytesMin
    ? byTable(bytes, start, end, seed)
    : zlib.crc32(bytes.subarray(start, end), seed);
