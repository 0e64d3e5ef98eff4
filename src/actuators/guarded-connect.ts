/**
 * A connection to the very address that was checked: names are resolved once,
 * and what the connection is made to is a number, not a name.
 *
 * Invariants
 *   C1. If any address of a name is not public, the name is refused: which of
 *       them a system would choose is luck, and a mixed answer is an attack.
 *   C2. The address that passed the check is the one that is connected to. No
 *       second lookup lies between, so a name that changes its mind gains nothing.
 *   C3. TLS verifies the certificate for the name, not for the address.
 */
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type EgressTarget, literalAddress, refuseAddress } from './egress-target.ts';

/** Every address of a name. */
export type Resolver = (host: string) => Promise<readonly { readonly address: string }[]>;

/** As the programs of this machine resolve names, its hosts file included. */
export const systemResolver: Resolver = (host) => lookup(host, { all: true, order: 'verbatim' });

/**
 * An address of the target that may be connected to.
 * @throws RuntimeError EGRESS_ADDRESS_REFUSED, EGRESS_FAILED when the name has none
 * @throws the reason of the signal
 */
export async function resolveTarget(
  { host }: EgressTarget,
  resolver: Resolver,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const literal = literalAddress(host);
  if (literal !== null) {
    refuseAddress(host, literal);
    return literal;
  }
  let addresses: readonly { readonly address: string }[];
  try {
    addresses = await orAborted(resolver(host), signal);
  } catch {
    signal.throwIfAborted();
    addresses = [];
  }
  for (const { address } of addresses) refuseAddress(host, address); // (C1)
  const [first] = addresses;
  if (first !== undefined) return first.address;
  const message = `The name ${host} has no address; check it, or try again later.`;
  throw new RuntimeError('EGRESS_FAILED', message, { retryable: true });
}

/** A lookup cannot be stopped, but need not be waited for. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * A socket to the address, secured where the scheme says so (C2, C3).
 * @throws RuntimeError EGRESS_FAILED
 * @throws the reason of the signal
 */
export async function connectTo(
  target: EgressTarget,
  address: string,
  signal: AbortSignal,
): Promise<Socket> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const { socket, ready } = openSocket(target, address);
  const fail = (cause: unknown): void => {
    socket.destroy();
    reject(cause);
  };
  const onAbort = (): void => fail(signal.reason);
  const onError = (cause: Error): void => fail(unreachable(target, cause));
  const late = setTimeout(() => fail(unreachable(target)), limits.httpConnectMsMax);
  signal.addEventListener('abort', onAbort, { once: true });
  // Whoever takes the socket over may not be listening yet when it breaks.
  socket.on('error', () => undefined);
  socket.once('error', onError);
  socket.once(ready, () => resolve(socket));
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', onAbort);
    socket.removeListener('error', onError);
  }
}

function openSocket({ scheme, host, port }: EgressTarget, address: string) {
  const place = { host: address, port };
  if (scheme === 'http') return { socket: connectTcp(place), ready: 'connect' };
  // A certificate for an address is checked against the address; a server name is never one.
  const name = literalAddress(host) === null ? { servername: host } : {};
  const secured = {
    ...place,
    ...name,
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
  } as const;
  return { socket: connectTls(secured), ready: 'secureConnect' };
}

function unreachable({ origin }: EgressTarget, cause?: Error): RuntimeError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const why =
    cause === undefined ? 'did not answer in time' : `cannot be reached (${code ?? 'TLS'})`;
  return new RuntimeError('EGRESS_FAILED', `${origin} ${why}.`, { retryable: true });
}
