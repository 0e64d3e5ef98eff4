/**
 * The tokens of one generation as binary columns: what the journal keeps of
 * them, so that thresholds can be looked at again without the model.
 *
 * ```
 *  0                   4                                                       4+9n (4+17n)
 *  +---------+---------+----------------+------------------+------------+- - - - - - - - - - - - - - +
 *  | n: u24  | has: u8 | confidence: f32| text length: u32 | forced: u8 | entropy: f32 | margin: f32 |
 *  +---------+---------+----------------+------------------+------------+- - - - - - - - - - - - - - +
 * ```
 *
 * Little-endian; a number that nobody told is NaN. The last two columns are there when `has` is 1;
 * it is 0 where no token has either. Text lengths count UTF-16 units; the texts themselves are the
 * answer, cut at these lengths.
 */
import { assert } from '../kernel/assert.ts';
import type { GeneratedToken } from './model-port.ts';

const headBytes = 4;
const countMax = 2 ** 24 - 1;
const hasOffset = 3;
const bytesPerToken = 9;
const bytesPerTokenWide = 17;

/** The columns in base64, because an outcome is JSON. */
export function encodeTokenColumns(tokens: readonly GeneratedToken[]): string {
  const count = tokens.length;
  assert(count <= countMax, 'a generation has fewer tokens than a column can count');
  const wide = tokens.some(({ entropy, margin }) => entropy !== null || margin !== null);
  const bytes = Buffer.alloc(headBytes + (wide ? bytesPerTokenWide : bytesPerToken) * count);
  bytes.writeUIntLE(count, 0, hasOffset);
  bytes[hasOffset] = wide ? 1 : 0;
  const at = columnOffsets(count);
  tokens.forEach(({ text, confidence, forced, entropy, margin }, index) => {
    bytes.writeFloatLE(confidence ?? Number.NaN, at.confidence + 4 * index);
    bytes.writeUInt32LE(text.length, at.length + 4 * index);
    bytes[at.forced + index] = forced ? 1 : 0;
    if (!wide) return;
    bytes.writeFloatLE(entropy ?? Number.NaN, at.entropy + 4 * index);
    bytes.writeFloatLE(margin ?? Number.NaN, at.margin + 4 * index);
  });
  return bytes.toString('base64');
}

/** The tokens again; their numbers have the precision of 32 bits. `text` is the whole answer. */
export function decodeTokenColumns(columns: string, text: string): GeneratedToken[] {
  const bytes = Buffer.from(columns, 'base64');
  const count = bytes.readUIntLE(0, hasOffset);
  const wide = bytes[hasOffset] === 1;
  const length = headBytes + (wide ? bytesPerTokenWide : bytesPerToken) * count;
  assert(bytes.length === length, 'the columns are whole');
  const at = columnOffsets(count);
  const told = (offset: number): number | null => {
    const value = bytes.readFloatLE(offset);
    return Number.isNaN(value) ? null : value;
  };
  let start = 0;
  return Array.from({ length: count }, (_, index) => {
    const end = start + bytes.readUInt32LE(at.length + 4 * index);
    const token = {
      text: text.slice(start, end),
      confidence: told(at.confidence + 4 * index),
      forced: bytes[at.forced + index] === 1,
      entropy: wide ? told(at.entropy + 4 * index) : null,
      margin: wide ? told(at.margin + 4 * index) : null,
    };
    start = end;
    return token;
  });
}

/** Where each column begins. */
function columnOffsets(count: number) {
  const confidence = headBytes;
  const length = confidence + 4 * count;
  const forced = length + 4 * count;
  const entropy = forced + count;
  return { confidence, length, forced, entropy, margin: entropy + 4 * count };
}
