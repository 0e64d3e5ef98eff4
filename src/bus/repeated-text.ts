/**
 * Texts that a reader met before and will meet again: names of kinds, ids, a
 * definition that comes with every first message. Comparing bytes is cheaper
 * than making a string, and the string is in memory once.
 *
 * Invariants
 *   T1. A text is known again by all of its bytes; a sample of them only says
 *       where to look.
 *   T2. A text is kept when its sample comes for the second time, so that one
 *       that comes once costs no copy.
 *   T3. What is kept is bounded by the sizes below, for the life of the reader:
 *       128 KiB of short texts and 1 MiB of long ones.
 */

/** Short texts: up to this length, in slots of a power of two. */
export const repeatedShortMax = 48;
const shortMin = 4;
const shortSlots = 1_024;
const shortStrideBytes = 64;

/** Long texts. In between, a string is made as fast as found. */
export const repeatedLongMin = 1_024;
const longMax = 32 * 1_024;
const longSlots = 16;

interface LongText {
  readonly sample: number;
  readonly bytes: Buffer | null;
  readonly text: string;
}

/** Spreads samples over the slots. */
const spread = 0x9e3779b1;

export class RepeatedText {
  readonly #shortSamples = new Int32Array(shortSlots);
  readonly #shortTexts: string[] = new Array<string>(shortSlots).fill('');
  readonly #shortBytes = new DataView(new ArrayBuffer(shortSlots * shortStrideBytes));
  readonly #longTexts: (LongText | null)[] = new Array<LongText | null>(longSlots).fill(null);

  /** ASCII text of `length` characters, at most `repeatedShortMax`, at `offset`. */
  short(bytes: Buffer, view: DataView, offset: number, length: number): string {
    if (length < shortMin) return bytes.toString('latin1', offset, offset + length);
    const last = offset + length - 4;
    const middle = offset + ((length - 4) >> 1);
    const mixed =
      Math.imul(view.getInt32(offset, true) ^ length, spread) ^ view.getInt32(last, true);
    const sample = Math.imul(mixed, spread) ^ view.getInt32(middle, true);
    const slot = Math.imul(sample, spread) >>> 22;
    if (this.#shortSamples[slot] !== sample) {
      this.#shortSamples[slot] = sample;
      this.#shortTexts[slot] = '';
      return bytes.toString('latin1', offset, offset + length);
    }
    const known = this.#shortTexts[slot] ?? '';
    const start = slot * shortStrideBytes;
    if (known.length === length && this.#isShortEqual(start, view, offset, length)) return known; // (T1)
    const text = bytes.toString('latin1', offset, offset + length);
    this.#shortTexts[slot] = text; // (T2)
    for (let index = 0; index < length; index += 1) {
      this.#shortBytes.setUint8(start + index, bytes[offset + index] ?? 0);
    }
    return text;
  }

  #isShortEqual(start: number, view: DataView, offset: number, length: number): boolean {
    const known = this.#shortBytes;
    const last = length - 4;
    for (let index = 0; index < last; index += 4) {
      if (known.getInt32(start + index) !== view.getInt32(offset + index)) return false;
    }
    return known.getInt32(start + last) === view.getInt32(offset + last);
  }

  /** ASCII text of `length` characters, at least `repeatedLongMin`, at `offset`. */
  long(bytes: Buffer, view: DataView, offset: number, length: number): string {
    const end = offset + length;
    if (length > longMax) return bytes.toString('latin1', offset, end);
    let sample = length;
    for (let part = 1; part < 8; part += 1) {
      sample = Math.imul(sample ^ view.getInt32(offset + ((length * part) >> 3)), spread);
    }
    const slot = Math.imul(sample, spread) >>> 28;
    const known = this.#longTexts[slot];
    if (known?.bytes && known.bytes.compare(bytes, offset, end) === 0) return known.text; // (T1)
    const text = bytes.toString('latin1', offset, end);
    const again = known?.sample === sample; // (T2)
    const copy = again ? copyOf(bytes, offset, length) : null;
    this.#longTexts[slot] = { sample, bytes: copy, text: again ? text : '' };
    return text;
  }
}

function copyOf(bytes: Buffer, offset: number, length: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(length);
  bytes.copy(copy, 0, offset, offset + length);
  return copy;
}
