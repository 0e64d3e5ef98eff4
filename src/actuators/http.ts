/**
 * The network, as far as people have granted it. `fetch` reads and follows
 * redirects; `send` changes something and follows none.
 *
 * Invariants
 *   H1. Nothing is resolved, connected or sent before a grant covers it: a
 *       lookup alone would tell a name server what an agent knows.
 *   H2. Each hop of a redirect is a request of its own: parsed, granted, resolved
 *       and checked anew, and charged.
 *   H3. Credentials come from the grant at the moment of use, for the origin
 *       that was asked first. No hop to another origin carries them, nor
 *       headers that the caller chose.
 *   H4. Of `send`, what broke before the connection stood did not happen; what
 *       broke later may have (law D3).
 */
import { z } from 'zod';
import type { GrantCredential, HttpMethod } from '../identity/egress-grant.ts';
import type { EgressRequest } from '../identity/egress-request.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { IntentionKey, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { type Actuator, type ActuatorContext, operation } from './actuator.ts';
import { type EgressTarget, parseTarget } from './egress-target.ts';
import { connectTo, type Resolver, resolveTarget, systemResolver } from './guarded-connect.ts';
import { exchange, type HttpAnswer } from './http-exchange.ts';
import { operationArguments } from './operation-arguments.ts';
import { shownAnswer, shownAnswerSchema } from './shown-answer.ts';

/** A request, and the name of its use, which is the same when it is tried again. */
export interface PermitQuestion {
  readonly request: EgressRequest;
  readonly run: RunId;
  readonly key: IntentionKey;
  /** Redirects before it. */
  readonly hop: number;
}

/** What a grant allows this request. */
export interface EgressPermit {
  readonly grant: string;
  readonly bytesMax: number;
  readonly credentials: readonly GrantCredential[];
}

export interface HttpPorts {
  /**
   * Resolves once a grant covers the request and its use is on the disk; waits for people meanwhile.
   * @throws RuntimeError EGRESS_NOT_GRANTED, EGRESS_DENIED
   */
  permit(question: PermitQuestion, signal: AbortSignal): Promise<EgressPermit>;
  /** Somebody asked for a place that no grant can allow. */
  refused(refusal: {
    readonly run: RunId;
    readonly key: IntentionKey;
    readonly code: string;
    readonly message: string;
  }): void;
  /** @throws RuntimeError SECRET_NOT_FOUND, VAULT_LOCKED */
  secret(name: string): string;
  readonly resolver?: Resolver;
}

interface Wanted {
  readonly method: HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly subject: EgressRequest['subject'];
}

const resultSchema = shownAnswerSchema.extend({ redirects: z.number().int().min(0) });

export function httpActuator(ports: HttpPorts): Actuator {
  return {
    name: 'http',
    concurrency: limits.httpConcurrencyMax,
    operations: {
      fetch: operation({
        effect: 'idempotent',
        outside: true,
        arguments: operationArguments['http.fetch'],
        result: resultSchema,
        perform: ({ url, ...rest }, context) =>
          telling(ports, context, () =>
            follow(ports, parseTarget(url), { ...rest, body: null }, context),
          ),
      }),
      send: operation({
        effect: 'once',
        outside: true,
        arguments: operationArguments['http.send'],
        result: resultSchema,
        perform: ({ url, body, encoding, ...rest }, context) =>
          telling(ports, context, async () => {
            const headers = { ...rest.headers, 'idempotency-key': context.key };
            const bytes = Buffer.from(body, encoding);
            const wanted = { ...rest, headers, body: bytes.length === 0 ? null : bytes };
            const target = parseTarget(url);
            const answer = await ask(ports, target, wanted, { context, hop: 0, credentials: true });
            return { ...shownAnswer(target, answer), redirects: 0 };
          }),
      }),
    },
  };
}

const impossible = new Set<string>(['EGRESS_URL_REFUSED', 'EGRESS_ADDRESS_REFUSED']);

/** Tells of a request that no grant can allow, whatever hop it came by. */
async function telling<T>(
  ports: HttpPorts,
  { run, key }: ActuatorContext,
  perform: () => Promise<T>,
): Promise<T> {
  try {
    return await perform();
  } catch (error) {
    if (error instanceof RuntimeError && impossible.has(error.code)) {
      const { code, message } = error;
      ports.refused({ run, key, code, message });
    }
    throw error;
  }
}

const redirections = new Set([301, 302, 303, 307, 308]);
/** Headers that say nothing of who asks: they alone go along to another origin (H3). */
const harmless = new Set(['accept', 'accept-language', 'user-agent']);

/** A reading keeps its method at each hop. */
async function follow(
  ports: HttpPorts,
  first: EgressTarget,
  wanted: Wanted,
  context: ActuatorContext,
) {
  let target = first;
  let strayed = false;
  for (let hop = 0; hop <= limits.httpRedirectsMax; hop += 1) {
    // Once it has left its origin it is a stranger's request, also where it comes back (H3).
    strayed ||= target.origin !== first.origin;
    const headers = strayed ? only(wanted.headers, harmless) : wanted.headers;
    const place = { context, hop, credentials: !strayed };
    const answer = await ask(ports, target, { ...wanted, headers }, place);
    const { location } = answer.headers;
    if (!redirections.has(answer.status) || location === undefined) {
      return { ...shownAnswer(target, answer), redirects: hop };
    }
    target = parseTarget(location, target); // (H2)
  }
  throw new RuntimeError(
    'EGRESS_FAILED',
    `${first.origin} redirects more than ${limits.httpRedirectsMax} times.`,
  );
}

interface Place {
  readonly context: ActuatorContext;
  readonly hop: number;
  /** Whether the grant's credentials go along. */
  readonly credentials: boolean;
}

async function ask(
  ports: HttpPorts,
  target: EgressTarget,
  wanted: Wanted,
  { context, hop, credentials }: Place,
): Promise<HttpAnswer> {
  const { method, subject, body } = wanted;
  const { scheme, host, port, path } = target;
  const request = { subject, method, scheme, host, port, path, bodyBytes: body?.length ?? 0 };
  const { run, key } = context;
  const permit = await ports.permit({ request, run, key, hop }, context.signal); // (H1)
  const injected = credentials ? headersFrom(permit.credentials, (name) => ports.secret(name)) : {};
  const headers = { 'user-agent': 'openclaw', accept: '*/*', ...wanted.headers, ...injected };
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(limits.httpMsMax)]);
  let isConnected = false;
  try {
    const address = await resolveTarget(target, ports.resolver ?? systemResolver, signal);
    const socket = await connectTo(target, address, signal);
    isConnected = true;
    const { bytesMax } = permit;
    return await exchange(socket, target, { method, headers, body, bytesMax }, signal);
  } catch (cause) {
    if (context.signal.aborted) throw context.signal.reason;
    const error = cause instanceof RuntimeError ? cause : timedOut(target);
    if (!isConnected || method === 'GET' || method === 'HEAD') throw error;
    const message = `${error.message} Whether it took the request, nobody here can say.`;
    throw new RuntimeError('OUTCOME_UNKNOWN', message); // (H4)
  }
}

function timedOut({ origin }: EgressTarget): RuntimeError {
  const message = `${origin} did not answer within ${limits.httpMsMax / 1_000} s.`;
  return new RuntimeError('EGRESS_FAILED', message, { retryable: true });
}

/** What the grant puts into the request, and nobody else sees. */
function headersFrom(
  credentials: readonly GrantCredential[],
  secret: (name: string) => string,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { secret: name, header, format } of credentials) {
    const value = secret(name);
    if (!/^[\x20-\x7e]+$/.test(value)) {
      const message = `The secret ${name} has characters that no header takes; set it again.`;
      throw new RuntimeError('SECRET_INVALID', message);
    }
    headers[header] = format.replace('{}', () => value);
  }
  return headers;
}

function only(headers: Readonly<Record<string, string>>, names: ReadonlySet<string>) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.has(name)));
}
