/**
 * Reads a server-sent event stream (text/event-stream, WHATWG HTML) as the
 * data of its events. Lines end with LF or CR LF; the lone CR that the standard
 * also knows is not used by any endpoint. Bounded: a stream that grows beyond
 * its limit ends with an error.
 */
import { RuntimeError } from '../kernel/errors.ts';

/**
 * @param bytesMax Bytes of the whole stream at most.
 * @throws RuntimeError INFERENCE_PROTOCOL when the stream is longer or no UTF-8.
 */
export async function* eventStreamData(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let received = 0;
  let rest = '';
  let data: string[] = [];
  for await (const piece of body) {
    received += piece.byteLength;
    if (received > bytesMax) {
      throw new RuntimeError(
        'INFERENCE_PROTOCOL',
        `The model endpoint answered more than ${bytesMax} bytes.`,
      );
    }
    // Only the new piece is searched, so that small pieces of a long line stay cheap.
    const lines = decode(decoder, piece).split('\n');
    lines[0] = rest + (lines[0] ?? '');
    rest = lines.pop() ?? '';
    for (const ended of lines) {
      const line = ended.endsWith('\r') ? ended.slice(0, -1) : ended;
      if (line.startsWith('data:')) data.push(line.slice(line.charAt(5) === ' ' ? 6 : 5));
      else if (line === '' && data.length > 0) {
        yield data.join('\n');
        data = [];
      }
    }
  }
  // An event that its blank line never ended is dropped, as the standard says.
}

function decode(decoder: TextDecoder, piece: Uint8Array): string {
  try {
    return decoder.decode(piece, { stream: true });
  } catch (cause) {
    throw new RuntimeError('INFERENCE_PROTOCOL', 'The model endpoint answered no UTF-8 text.', {
      cause,
    });
  }
}
