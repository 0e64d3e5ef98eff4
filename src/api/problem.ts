/**
 * Every error answer of the API: an RFC 9457 problem whose `code` is from the
 * catalogue.
 *
 * Invariants
 *   E1. A stack or an internal message never leaves the process. The sentences
 *       of the framework do not either: some quote what was sent.
 *   E2. No sentence holds a token, or says where the data directory lies.
 */
import type { FastifyReply } from 'fastify';
import { withoutTokens } from '../identity/access-token.ts';
import {
  type ErrorCode,
  type ErrorMessage,
  errorCatalogue,
  RuntimeError,
} from '../kernel/errors.ts';
import { securityHeaders } from './security-headers.ts';

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
  readonly code?: unknown;
}

const frameworkSentences: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'The request body is too large; make it smaller.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'A request body is to have the content type application/json.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The request body is empty; send JSON, or no content type.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The request body is not valid JSON.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The request body is not as long as its header says.',
  FST_ERR_BAD_URL: 'The address is not well encoded.',
};
const otherSentence =
  'The request is none that this API understands; see the README for the routes.';

export class ErrorAnswers {
  readonly #dataDirectory: string | null;
  readonly #onFault: (error: unknown) => void;

  /**
   * @param dataDirectory Its absolute path, which no answer says (E2).
   * @param onFault Told of what a client sees only as INTERNAL.
   */
  constructor(dataDirectory: string | null, onFault: (error: unknown) => void) {
    this.#dataDirectory = dataDirectory;
    this.#onFault = onFault;
  }

  /** A problem for what Node.js refuses before any route, as the JSON text of a body. */
  static ofRequest(status: number): string {
    return JSON.stringify(problem('REQUEST_INVALID', otherSentence, status));
  }

  send(reply: FastifyReply, error: unknown): FastifyReply {
    const body = this.#toProblem(error);
    return reply
      .code(body.status)
      .headers(securityHeaders)
      .type('application/problem+json')
      .send(JSON.stringify(body));
  }

  /** The same for an answer that has begun already. */
  describe(error: unknown): ErrorMessage {
    const { code, detail } = this.#toProblem(error);
    const retryable = error instanceof RuntimeError ? { retryable: error.retryable } : {};
    return { code, message: detail, ...retryable };
  }

  #toProblem(error: unknown): Problem {
    if (error instanceof RuntimeError && error.code !== 'INTERNAL') {
      return problem(error.code, this.#scrub(error.message), errorCatalogue[error.code].http);
    }
    if (isHttpFault(error)) {
      const sentence = frameworkSentences[String(error.code)] ?? otherSentence; // (E1)
      return problem('REQUEST_INVALID', sentence, error.statusCode);
    }
    this.#onFault(error);
    return problem(
      'INTERNAL',
      'The runtime failed to answer; its standard error names the fault.',
      errorCatalogue.INTERNAL.http,
    );
  }

  /** (E2) */
  #scrub(text: string): string {
    const path = this.#dataDirectory;
    return withoutTokens(path === null ? text : text.replaceAll(path, 'DATA'));
  }
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

function problem(code: ErrorCode, detail: string, status: number): Problem {
  return {
    type: `urn:openclaw:error:${code}`,
    title: errorCatalogue[code].meaning,
    status,
    detail,
    code,
  };
}
