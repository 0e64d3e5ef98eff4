/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4): of the headers of segments, and
 * of the records in segments of versions 1 and 2.
 */
import { type Checksum, slicedCrc } from './sliced-crc.ts';

export const crc32c: Checksum = slicedCrc(0x82f63b78);
