/**
 * Every error answer of the API: an RFC 9457 problem whose `code` is from the
 * catalogue. A stack or an internal message never leaves the process.
 */
import type { FastifyReply } from 'fastify';
import { type ErrorCode, errorCatalogue, RuntimeError } from '../kernel/errors.ts';

interface Problem {
  /** `urn:openclaw:error:CODE`; docs/errors.md lists the codes. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
}

/** What the framework puts on its own errors: a bad body, a wrong media type. */
interface HttpFault {
  readonly statusCode: number;
  readonly message: string;
}

function isHttpFault(error: unknown): error is HttpFault {
  return (
    error instanceof Error &&
    'statusCode' in error &&
    typeof error.statusCode === 'number' &&
    error.statusCode >= 400 &&
    error.statusCode < 500
  );
}

function toProblem(error: unknown): Problem {
  if (error instanceof RuntimeError) {
    return problem(error.code, error.message, errorCatalogue[error.code].http);
  }
  if (isHttpFault(error)) {
    return problem('REQUEST_INVALID', error.message, error.statusCode);
  }
  return problem(
    'INTERNAL',
    'The runtime failed to answer; its standard error names the fault.',
    errorCatalogue.INTERNAL.http,
  );
}

function problem(code: ErrorCode, detail: string, status: number): Problem {
  return {
    type: `urn:openclaw:error:${code}`,
    title: errorCatalogue[code].meaning,
    status,
    detail,
    code,
  };
}

export function sendProblem(reply: FastifyReply, error: unknown): FastifyReply {
  const body = toProblem(error);
  return reply
    .code(body.status)
    .type('application/problem+json')
    .header('cache-control', 'no-store')
    .send(JSON.stringify(body));
}
