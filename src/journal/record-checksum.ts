/** Which checksum the records of a segment have: a CRC-32C in versions 1 and 2, then a CRC-32. */
import { crc32 } from './crc32.ts';
import { crc32c } from './crc32c.ts';
import type { Checksum } from './sliced-crc.ts';

const crc32Version = 3;

export function recordChecksum(version: number): Checksum {
  return version < crc32Version ? crc32c : crc32;
}
