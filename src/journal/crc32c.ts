/**
 * CRC-32C (Castagnoli), eight bytes a turn ("slicing by eight").
 *
 * Node offers only the other CRC-32 natively; this polynomial finds more of
 * the errors that disks make and is what file formats of this kind use.
 */

const reflectedPolynomial = 0x82f63b78;
const slices = 8;

/** Table `k` at `k * 256`: the effect of a byte that is followed by `k` zero bytes. */
const table = buildTable();

function buildTable(): Int32Array {
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

/**
 * Checksum of `bytes[start, end)`, an unsigned 32-bit number.
 * @param seed A previous checksum to go on from, or any number that makes
 *   equal bytes in different places differ. 0 gives the standard checksum.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  // The casts stand for bounds that the loops keep: an index into a typed
  // array below its length is never undefined.
  let crc = ~seed;
  let at = start;
  for (const last = end - slices; at <= last; at += slices) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (table[1792 + (low & 0xff)] as number) ^
      (table[1536 + ((low >>> 8) & 0xff)] as number) ^
      (table[1280 + ((low >>> 16) & 0xff)] as number) ^
      (table[1024 + (low >>> 24)] as number) ^
      (table[768 + (bytes[at + 4] as number)] as number) ^
      (table[512 + (bytes[at + 5] as number)] as number) ^
      (table[256 + (bytes[at + 6] as number)] as number) ^
      (table[bytes[at + 7] as number] as number);
  }
  for (; at < end; at += 1) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}
