/**
 * CRC-32 by tables, for any polynomial: sixteen bytes a step ("slicing by 16",
 * Kounavis and Berry, 2005) where the bytes lie on a multiple of four in
 * memory, else byte by byte.
 */
import { endianness } from 'node:os';

const slices = 16;

/**
 * Checksum of `bytes[start, end)`, an unsigned 32-bit number.
 * @param seed A previous checksum to go on from, or any number that makes
 *   equal bytes in different places differ. 0 gives the standard checksum.
 */
export type Checksum = (bytes: Uint8Array, start?: number, end?: number, seed?: number) => number;

/** The checksum of a polynomial of degree 32, given with its bits reflected. */
export function slicedCrc(reflectedPolynomial: number): Checksum {
  const table = buildTable(reflectedPolynomial);
  return (bytes, start = 0, end = bytes.length, seed = 0) => {
    let crc = ~seed;
    let at = start;
    if (isLittleEndian && ((bytes.byteOffset + start) & 3) === 0) {
      const steps = Math.max(0, (end - start) >> 4);
      crc = crcOfWords(table, crc, wordsOf(bytes.buffer), {
        first: (bytes.byteOffset + start) >> 2,
        steps,
      });
      at += steps * slices;
    }
    for (; at < end; at += 1) {
      crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
    }
    return ~crc >>> 0;
  };
}

/** Table `k` at `k * 256`: the effect of a byte that is followed by `k` zero bytes. */
function buildTable(reflectedPolynomial: number): Int32Array {
  const built = new Int32Array(slices * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 1 ? (crc >>> 1) ^ reflectedPolynomial : crc >>> 1;
    }
    built[byte] = crc;
  }
  for (let slice = 1; slice < slices; slice += 1) {
    for (let byte = 0; byte < 256; byte += 1) {
      const previous = built[(slice - 1) * 256 + byte] ?? 0;
      built[slice * 256 + byte] = (previous >>> 8) ^ (built[previous & 0xff] ?? 0);
    }
  }
  return built;
}

/** The latest memory as words: consecutive checksums are mostly of the same. */
let memory: ArrayBufferLike = new ArrayBuffer(0);
let words: Int32Array = new Int32Array(memory);

function wordsOf(buffer: ArrayBufferLike): Int32Array {
  if (buffer !== memory) {
    memory = buffer;
    words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
  }
  return words;
}

/** The steps below take words as they lie in the file. */
const isLittleEndian = endianness() === 'LE';

/** Goes on over so many steps of four words from `first` on. */
function crcOfWords(
  table: Int32Array,
  before: number,
  all: Int32Array,
  { first, steps }: { first: number; steps: number },
): number {
  // The casts stand for bounds that the loop keeps: an index into a typed
  // array below its length is never undefined.
  let crc = before;
  const end = first + 4 * steps;
  for (let at = first; at < end; at += 4) {
    const one = crc ^ (all[at] as number);
    const two = all[at + 1] as number;
    const three = all[at + 2] as number;
    const four = all[at + 3] as number;
    crc =
      (table[3840 + (one & 0xff)] as number) ^
      (table[3584 + ((one >>> 8) & 0xff)] as number) ^
      (table[3328 + ((one >>> 16) & 0xff)] as number) ^
      (table[3072 + (one >>> 24)] as number) ^
      (table[2816 + (two & 0xff)] as number) ^
      (table[2560 + ((two >>> 8) & 0xff)] as number) ^
      (table[2304 + ((two >>> 16) & 0xff)] as number) ^
      (table[2048 + (two >>> 24)] as number) ^
      (table[1792 + (three & 0xff)] as number) ^
      (table[1536 + ((three >>> 8) & 0xff)] as number) ^
      (table[1280 + ((three >>> 16) & 0xff)] as number) ^
      (table[1024 + (three >>> 24)] as number) ^
      (table[768 + (four & 0xff)] as number) ^
      (table[512 + ((four >>> 8) & 0xff)] as number) ^
      (table[256 + ((four >>> 16) & 0xff)] as number) ^
      (table[four >>> 24] as number);
  }
  return crc;
}
