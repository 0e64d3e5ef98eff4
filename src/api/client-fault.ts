/** The answer to what is not even HTTP: Node.js found it, so no route and no hook will see it. */
import type { Socket } from 'node:net';
import { ErrorAnswers } from './problem.ts';
import { securityHeaders } from './security-headers.ts';

const statuses: Readonly<Record<string, readonly [number, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
};

/** Nothing of what was sent comes back in the answer. */
export function answerClientFault(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, words] = statuses[error.code ?? ''] ?? [400, 'Bad Request'];
  const body = ErrorAnswers.ofRequest(status);
  const headers = Object.entries({
    ...securityHeaders,
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${status} ${words}\r\n${lines}\r\n${body}`, () => socket.destroy());
}
