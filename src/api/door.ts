/**
 * Everything that a request passes before it reaches a route: where it comes
 * from, who asks, how often, and whether that one may. Nothing behind the door
 * asks again, and no route can be reached around it.
 *
 * Invariants
 *   O1. The order is fixed: host and page, token, rate, right, place. What comes
 *       first is refused first, so a foreign page learns nothing about tokens.
 *   O2. A token that is given must be good, also where none is needed: a client
 *       that believes to be a viewer does not act with all rights.
 *   O3. Without a token, and where none is needed, all rights are given: who may
 *       open a connection to loopback is a user of this machine.
 *   O4. Every refusal is reported, by kinds, and no report holds what a client
 *       has written.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  type AccessRight,
  type AccessRole,
  hasRight,
  roleOfRight,
} from '../identity/access-rights.ts';
import type { Clock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { DoorSettings, TokenJudge } from './door-settings.ts';
import { type HostGuard, hostGuard } from './host-guard.ts';
import { type ApiRefusal, type RefusalReason, Refusals } from './refusals.ts';
import { clientAddress, requestRates, type TakeRequest } from './request-rates.ts';
import { tokenOf } from './request-token.ts';
import { rightOf } from './route-rights.ts';
import { addSecurityHeaders } from './security-headers.ts';
import { SocketPlaces } from './socket-places.ts';

export interface DoorOptions {
  readonly settings: DoorSettings;
  readonly tokens: TokenJudge;
  readonly clock: Clock;
  readonly onRefusal: (event: ApiRefusal) => void;
}

/** Null roles are all rights (O3). */
interface Guest {
  readonly name: string | null;
  readonly roles: readonly AccessRole[] | null;
  readonly token: string | null;
}

/** Puts the door before every route that is registered from now on. */
export async function installDoor(app: FastifyInstance, options: DoorOptions): Promise<void> {
  const { settings } = options;
  const rates = await requestRates(app, settings);
  const refusals = new Refusals(options.onRefusal);
  const door = new Door(options, {
    ...rates,
    refusals,
    hosts: hostGuard(settings.names, settings.tls === null ? 'http' : 'https'),
    places: new SocketPlaces(app),
  });
  app.addHook('onRequest', (request, reply) => door.admit(request, reply));
  app.addHook('onClose', async () => refusals.flush());
}

interface Parts {
  readonly hosts: HostGuard;
  readonly takeRequest: TakeRequest;
  readonly takeFailure: TakeRequest;
  readonly places: SocketPlaces;
  readonly refusals: Refusals;
}

class Door {
  readonly #options: DoorOptions;
  readonly #parts: Parts;

  constructor(options: DoorOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  /**
   * Resolves once the request may go on (O1).
   * @throws RuntimeError REQUEST_FORBIDDEN, REQUEST_INVALID, UNAUTHENTICATED,
   *   ROLE_INSUFFICIENT, RATE_LIMITED, ACCESS_FILE_UNUSABLE
   */
  async admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    addSecurityHeaders(reply);
    try {
      this.#parts.hosts.check(request.raw);
    } catch (error) {
      throw this.#refusal(request, reasonOf(error), { error });
    }
    const guest = await this.#identify(request, reply);
    const client =
      guest.name === null ? `address ${clientAddress(request.ip)}` : `token ${guest.name}`;
    const waitSeconds = await this.#parts.takeRequest(request, client);
    if (waitSeconds > 0) throw this.#tooOften(request, reply, waitSeconds, guest);
    const right = rightOf(request.method, request.routeOptions.url);
    if (!may(guest, right)) throw this.#withoutRole(request, reply, right, guest);
    if (request.headers.upgrade !== undefined) this.#takePlace(request, reply, client, guest);
  }

  async #identify(request: FastifyRequest, reply: FastifyReply): Promise<Guest> {
    const token = this.#tokenOf(request);
    if (token === null && !this.#options.settings.requireToken) {
      return { name: null, roles: null, token: null }; // (O3)
    }
    const verdict = token === null ? { status: 'absent' as const } : this.#judge(request, token);
    if (verdict.status === 'known') return { name: verdict.name, roles: verdict.roles, token };
    // (O2)
    const waitSeconds = await this.#parts.takeFailure(
      request,
      `address ${clientAddress(request.ip)}`,
    );
    if (waitSeconds > 0) throw this.#tooOften(request, reply, waitSeconds);
    const isAbsent = verdict.status === 'absent';
    reply.header('www-authenticate', `Bearer${isAbsent ? '' : ' error="invalid_token"'}`);
    const error = new RuntimeError('UNAUTHENTICATED', whyNot[verdict.status]);
    throw this.#refusal(request, reasonOfVerdict[verdict.status], { error });
  }

  #tokenOf(request: FastifyRequest): string | null {
    try {
      return tokenOf(request.raw);
    } catch (error) {
      throw this.#refusal(request, 'malformed', { error });
    }
  }

  #judge(request: FastifyRequest, token: string): ReturnType<TokenJudge['judge']> {
    try {
      return this.#options.tokens.judge(token, this.#options.clock.nowMs());
    } catch (error) {
      throw this.#refusal(request, 'access-file-unusable', { error });
    }
  }

  #takePlace(request: FastifyRequest, reply: FastifyReply, client: string, guest: Guest): void {
    const right = rightOf(request.method, request.routeOptions.url);
    const mayStay = (): boolean => this.#mayStay(guest, right);
    if (this.#parts.places.tryTake(request.raw.socket, { client, mayStay })) return;
    reply.header('retry-after', '60');
    const error = new RuntimeError(
      'RATE_LIMITED',
      'There are as many WebSockets as there may be; close some, or come back later.',
    );
    throw this.#refusal(request, 'too-many-sockets', { error, guest });
  }

  #mayStay({ token, name }: Guest, right: AccessRight | null): boolean {
    if (token === null) return true;
    try {
      const verdict = this.#options.tokens.judge(token, this.#options.clock.nowMs());
      return verdict.status === 'known' && may({ name, token, roles: verdict.roles }, right);
    } catch {
      return false;
    }
  }

  #tooOften(
    request: FastifyRequest,
    reply: FastifyReply,
    waitSeconds: number,
    guest?: Guest,
  ): RuntimeError {
    reply.header('retry-after', String(waitSeconds));
    const error = new RuntimeError(
      'RATE_LIMITED',
      `That was too often; come back in ${waitSeconds} seconds.`,
    );
    return this.#refusal(request, 'rate-limited', { error, guest });
  }

  #withoutRole(
    request: FastifyRequest,
    reply: FastifyReply,
    right: AccessRight | null,
    guest: Guest,
  ): RuntimeError {
    const role = right === null ? null : roleOfRight[right];
    reply.header('www-authenticate', 'Bearer error="insufficient_scope"');
    const error = new RuntimeError(
      'ROLE_INSUFFICIENT',
      `This takes the role ${role}, which the token does not have; use another, or make one with claw access add.`,
    );
    return this.#refusal(request, 'role-insufficient', { error, guest, role });
  }

  /** Reports the refusal (O4) and gives back its error. */
  #refusal<Refused>(
    request: FastifyRequest,
    reason: RefusalReason,
    about: { error: Refused; guest?: Guest | undefined; role?: AccessRole | null },
  ): Refused {
    const url = request.routeOptions.url;
    this.#parts.refusals.add({
      reason,
      route: url === undefined ? null : `${request.method} ${url}`,
      role: about.role ?? null,
      token: about.guest?.name ?? null,
      address: request.ip ?? null,
    });
    return about.error;
  }
}

/** An address without a route has no right to ask for: who is known learns that it is not there. */
function may({ roles }: Guest, right: AccessRight | null): boolean {
  return roles === null || right === null || hasRight(roles, right);
}

function reasonOf(error: unknown): RefusalReason {
  const isForeign = error instanceof RuntimeError && error.code === 'REQUEST_FORBIDDEN';
  return isForeign ? 'foreign-page-or-host' : 'malformed';
}

const whyNot = {
  absent:
    'The API wants an access token; give claw --token-file or OPENCLAW_TOKEN, or send the header Authorization: Bearer TOKEN.',
  malformed:
    'That is no access token, or it was mistyped; send the whole text that claw access add printed.',
  unknown: 'The access token is not known; it was removed, or belongs to another data directory.',
  expired: 'The access token has expired; make a new one with claw access add.',
} as const;

const reasonOfVerdict = {
  absent: 'no-token',
  malformed: 'token-invalid',
  unknown: 'token-invalid',
  expired: 'token-expired',
} as const;
