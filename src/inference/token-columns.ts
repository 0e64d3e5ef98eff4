/**
 * The tokens of one generation as binary columns: what the journal keeps of
 * them, so that thresholds can be looked at again without the model.
 *
 * ```
 *  0        4                4+4n           4+5n               4+7n
 *  +--------+----------------+--------------+------------------+
 *  | n: u32 | confidence: f32| forced: u8   | text length: u16 |
 *  +--------+----------------+--------------+------------------+
 * ```
 *
 * Little-endian; a confidence that nobody told is NaN. Text lengths count
 * UTF-16 units; the texts themselves are the answer, cut at these lengths.
 */
import { assert } from '../kernel/assert.ts';
import type { GeneratedToken } from './model-port.ts';

const countBytes = 4;
const bytesPerToken = 7;
const textLengthMax = 0xffff;

/** The columns in base64, because an outcome is JSON. */
export function encodeTokenColumns(tokens: readonly GeneratedToken[]): string {
  const count = tokens.length;
  const bytes = Buffer.alloc(countBytes + bytesPerToken * count);
  bytes.writeUInt32LE(count, 0);
  tokens.forEach(({ text, confidence, forced }, index) => {
    assert(text.length <= textLengthMax, 'a token is short');
    bytes.writeFloatLE(confidence ?? Number.NaN, countBytes + 4 * index);
    bytes[countBytes + 4 * count + index] = forced ? 1 : 0;
    bytes.writeUInt16LE(text.length, countBytes + 5 * count + 2 * index);
  });
  return bytes.toString('base64');
}

/** The tokens again; confidences have the precision of 32 bits. `text` is the whole answer. */
export function decodeTokenColumns(columns: string, text: string): GeneratedToken[] {
  const bytes = Buffer.from(columns, 'base64');
  const count = bytes.readUInt32LE(0);
  assert(bytes.length === countBytes + bytesPerToken * count, 'the columns are whole');
  let start = 0;
  return Array.from({ length: count }, (_, index) => {
    const confidence = bytes.readFloatLE(countBytes + 4 * index);
    const forced = bytes[countBytes + 4 * count + index] === 1;
    const end = start + bytes.readUInt16LE(countBytes + 5 * count + 2 * index);
    const token = {
      text: text.slice(start, end),
      confidence: Number.isNaN(confidence) ? null : confidence,
      forced,
    };
    start = end;
    return token;
  });
}
