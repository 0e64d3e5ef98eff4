/**
 * Asks a witness over HTTP, at an address or a Unix socket (C2SP tlog-witness).
 * It is asked by POST to `/add-checkpoint`.
 */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { type NoteSignature, parseSignature } from '../identity/signed-note.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

export type WitnessAddress =
  | { readonly url: string; readonly socket?: undefined }
  | { readonly socket: string; readonly url?: undefined };

/**
 * The signatures that it gives.
 * @param body As `formatWitnessRequest` writes it.
 * @throws RuntimeError WITNESS_UNREACHABLE, WITNESS_CONFLICT with `details.size`, WITNESS_REFUSED,
 *   WITNESS_LOG_UNKNOWN, WITNESS_SIGNATURE
 */
export async function askWitness(address: WitnessAddress, body: string): Promise<NoteSignature[]> {
  const { status, answer } = await post(address, body).catch((cause: unknown) => {
    throw unreachable(address, cause instanceof Error ? cause.message : String(cause));
  });
  const why = answer.trim().slice(0, 1_000);
  switch (status) {
    case 200:
      return answer
        .split('\n')
        .filter((line) => line !== '')
        .slice(0, limits.auditNoteSignaturesMax)
        .map(parseSignature);
    case 409: {
      const size = Number(/^(0|[1-9]\d{0,15})\n?$/.exec(answer)?.[1] ?? Number.NaN);
      if (!Number.isSafeInteger(size)) throw unreachable(address, `it answers ${status}: ${why}`);
      throw new RuntimeError('WITNESS_CONFLICT', `The witness has cosigned ${size} records.`, {
        details: { size },
      });
    }
    case 403:
      throw new RuntimeError(
        'WITNESS_SIGNATURE',
        `The witness knows the log by another key: ${why}`,
      );
    case 404:
      throw new RuntimeError('WITNESS_LOG_UNKNOWN', `The witness does not know the log: ${why}`);
    case 422:
      throw new RuntimeError('WITNESS_REFUSED', `The witness refuses: ${why}`);
    default:
      throw unreachable(address, `it answers ${status}: ${why}`);
  }
}

function post(address: WitnessAddress, body: string): Promise<{ status: number; answer: string }> {
  const headers = { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) };
  const signal = AbortSignal.timeout(limits.witnessMsMax);
  const options = { method: 'POST', headers, signal, agent: false as const };
  const { url, socket } = address;
  return new Promise((resolve, reject) => {
    const sent =
      socket === undefined
        ? request(new URL('add-checkpoint', url.endsWith('/') ? url : `${url}/`), options)
        : request({ ...options, socketPath: socket, path: '/add-checkpoint' });
    sent.once('error', reject);
    sent.once('response', (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > limits.auditNoteBytesMax) sent.destroy(new Error('its answer is too long'));
      });
      const status = response.statusCode ?? 0;
      text(response).then((answer) => resolve({ status, answer }), reject);
    });
    sent.end(body);
  });
}

function unreachable(address: WitnessAddress, why: string): RuntimeError {
  const where = address.url ?? address.socket;
  return new RuntimeError(
    'WITNESS_UNREACHABLE',
    `The witness at ${where} gives no cosignature: ${why}.`,
    { retryable: true },
  );
}
