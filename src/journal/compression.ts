/**
 * zstd (RFC 8878) for the contents of blobs, where it pays.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { RuntimeError } from '../kernel/errors.ts';

/** Shorter contents save less than a disk sector. */
const compressedBytesMin = 512;
/** What is not shorter by an eighth stays as it is. */
const worthwhile = 7 / 8;
/** Slower levels gain a few hundredths on texts of this size. */
const options = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/** The content as one zstd frame, or null where that would save little. */
export function tryCompress(content: Buffer): Buffer | null {
  if (content.length < compressedBytesMin) return null;
  const compressed = zstdCompressSync(content, options);
  return compressed.length <= content.length * worthwhile ? compressed : null;
}

/**
 * The content of a zstd frame.
 * @param bytesMax what it has at most; hostile bytes may promise more.
 * @throws RuntimeError JOURNAL_CORRUPT when the bytes are no such frame.
 */
export function decompress(compressed: Buffer, bytesMax: number): Buffer {
  try {
    return zstdDecompressSync(compressed, { maxOutputLength: bytesMax });
  } catch (cause) {
    throw new RuntimeError(
      'JOURNAL_CORRUPT',
      'A compressed text of the journal cannot be read; restore the data directory from a copy.',
      { cause },
    );
  }
}
