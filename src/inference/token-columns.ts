/**
 * The tokens of one generation as binary columns: what the journal keeps of
 * them, so that thresholds can be looked at again without the model.
 *
 * ```
 *  0        4                4+4n               4+8n         4+9n
 *  +--------+----------------+------------------+------------+
 *  | n: u32 | confidence: f32| text length: u32 | forced: u8 |
 *  +--------+----------------+------------------+------------+
 * ```
 *
 * Little-endian; a confidence that nobody told is NaN. Text lengths count
 * UTF-16 units; the texts themselves are the answer, cut at these lengths.
 */
import { assert } from '../kernel/assert.ts';
import type { GeneratedToken } from './model-port.ts';

const countBytes = 4;
const bytesPerToken = 9;

/** The columns in base64, because an outcome is JSON. */
export function encodeTokenColumns(tokens: readonly GeneratedToken[]): string {
  const count = tokens.length;
  const bytes = Buffer.alloc(countBytes + bytesPerToken * count);
  bytes.writeUInt32LE(count, 0);
  tokens.forEach(({ text, confidence, forced }, index) => {
    bytes.writeFloatLE(confidence ?? Number.NaN, countBytes + 4 * index);
    bytes.writeUInt32LE(text.length, countBytes + 4 * count + 4 * index);
    bytes[countBytes + 8 * count + index] = forced ? 1 : 0;
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
    const forced = bytes[countBytes + 8 * count + index] === 1;
    const end = start + bytes.readUInt32LE(countBytes + 4 * count + 4 * index);
    const token = {
      text: text.slice(start, end),
      confidence: Number.isNaN(confidence) ? null : confidence,
      forced,
    };
    start = end;
    return token;
  });
}
