/**
 * One request and its answer over a socket that is already connected, and
 * nothing besides: no cookies, no proxy, no second connection, no keep-alive.
 *
 * Invariants
 *   X1. A socket serves one request. The client cannot open another one, so
 *       nothing reaches an address that was not checked.
 *   X2. Headers, body, and what a body unpacks to are bounded each by itself.
 *       What is over a bound is an error, never a shorter answer.
 */
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { Client, type Dispatcher } from 'undici';
import type { HttpMethod } from '../identity/egress-grant.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { EgressTarget } from './egress-target.ts';

export interface HttpRequest {
  readonly method: HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  /** Of the answer's body, packed and unpacked. */
  readonly bytesMax: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; of a header that comes several times all, with commas. */
  readonly headers: Readonly<Record<string, string>>;
  /** Unpacked. */
  readonly body: Buffer;
}

/**
 * @throws RuntimeError EGRESS_FAILED, EGRESS_TOO_LARGE
 * @throws the reason of the signal
 */
export async function exchange(
  socket: Socket,
  target: EgressTarget,
  { method, headers, body, bytesMax }: HttpRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  let given: Socket | null = socket;
  const client = new Client(target.origin, {
    allowH2: false,
    pipelining: 1,
    maxHeaderSize: limits.httpHeaderBytesMax,
    headersTimeout: limits.httpMsMax,
    bodyTimeout: limits.httpMsMax,
    connect: (_options, callback) => {
      const own = given;
      given = null; // (X1)
      // Called back at once, the client would miss that it is connected.
      setImmediate(() => {
        if (own === null) callback(new Error('A socket serves one request.'), null);
        else callback(null, own);
      });
    },
  });
  try {
    const path = `${target.path}${target.query}`;
    const options: Dispatcher.RequestOptions = { path, method, headers, body, signal, reset: true };
    const answer = await client.request(options);
    const packed = await bodyOf(answer.body, bytesMax, target);
    const plain = headersOf(answer.headers);
    const unpacked = await unpack(packed, plain['content-encoding'] ?? '', bytesMax, target);
    return { status: answer.statusCode, headers: plain, body: unpacked };
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof RuntimeError) throw cause;
    throw broken(target, cause);
  } finally {
    await client.destroy().catch(() => undefined);
    socket.destroy();
  }
}

async function bodyOf(
  body: AsyncIterable<Buffer>,
  bytesMax: number,
  target: EgressTarget,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(target, bytesMax); // (X2)
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const unpackers = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
} as const;

/** Packed answers are not asked for, but some servers send them anyway. */
async function unpack(
  packed: Buffer,
  encoding: string,
  bytesMax: number,
  target: EgressTarget,
): Promise<Buffer> {
  const name = encoding.trim().toLowerCase();
  if (name === '' || name === 'identity' || packed.length === 0) return packed;
  if (!Object.hasOwn(unpackers, name)) {
    throw failed(target, 'sent its answer in an encoding that is not known');
  }
  try {
    // A limit of zero would mean none.
    const maxOutputLength = Math.max(1, bytesMax);
    return await unpackers[name as keyof typeof unpackers](packed, { maxOutputLength });
  } catch (cause) {
    const isOver = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw isOver ? tooLarge(target, bytesMax) : failed(target, 'sent a damaged answer'); // (X2)
  }
}

function headersOf(headers: Readonly<Record<string, string | string[] | undefined>>) {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = [value].flat().join(', ');
  }
  return plain;
}

function broken(target: EgressTarget, cause: unknown): RuntimeError {
  const code = (cause as { code?: unknown } | null)?.code;
  if (code === 'UND_ERR_HEADERS_OVERFLOW') {
    const message = `${target.origin} sent more than ${limits.httpHeaderBytesMax} bytes of headers.`;
    return new RuntimeError('EGRESS_TOO_LARGE', message);
  }
  // Never its message, which may quote what was sent.
  return failed(target, `broke off (${typeof code === 'string' ? code : 'protocol error'})`);
}

function failed({ origin }: EgressTarget, what: string): RuntimeError {
  return new RuntimeError('EGRESS_FAILED', `${origin} ${what}.`, { retryable: true });
}

function tooLarge({ origin }: EgressTarget, bytesMax: number): RuntimeError {
  return new RuntimeError(
    'EGRESS_TOO_LARGE',
    `The answer of ${origin} is larger than ${bytesMax} bytes; ask for less, or for a grant of more.`,
  );
}
