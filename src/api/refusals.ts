/**
 * What was refused at the door, for whoever keeps an audit: each kind at once
 * when it first appears, and then its count, once in a while. So a flood of
 * refused requests makes a few events, and a single attempt is never lost.
 *
 * Invariants
 *   U1. At most limits.refusalKindsMax kinds are told apart in a window; further
 *       ones are counted together.
 *   U2. An event names the route by its pattern and the client by its address or
 *       the name of its token: nothing in it was chosen by who was refused.
 */
import { limits } from '../kernel/limits.ts';

export type RefusalReason =
  | 'foreign-page-or-host'
  | 'malformed'
  | 'no-token'
  | 'token-invalid'
  | 'token-expired'
  | 'role-insufficient'
  | 'rate-limited'
  | 'too-many-sockets'
  | 'access-file-unusable'
  | 'other';

export interface ApiRefusal {
  readonly type: 'api-refused';
  readonly reason: RefusalReason;
  /** Such as `POST /v1/runs`; null for an address without a route. */
  readonly route: string | null;
  /** The role that would have done. */
  readonly role: string | null;
  /** Name of the token where it was a known one. */
  readonly token: string | null;
  readonly address: string | null;
  /** How many were refused alike. */
  readonly count: number;
}

type Refusal = Omit<ApiRefusal, 'type' | 'count'>;

const others: Refusal = { reason: 'other', route: null, role: null, token: null, address: null };

export class Refusals {
  readonly #onRefusal: (event: ApiRefusal) => void;
  /** Kinds seen in this window, with those not reported yet. */
  readonly #kinds = new Map<string, { readonly refusal: Refusal; unreported: number }>();
  #timer: NodeJS.Timeout | null = null;

  constructor(onRefusal: (event: ApiRefusal) => void) {
    this.#onRefusal = onRefusal;
  }

  add(refusal: Refusal): void {
    const key = JSON.stringify(refusal);
    const known = this.#kinds.get(key);
    if (known !== undefined) {
      known.unreported += 1;
      return;
    }
    if (this.#kinds.size >= limits.refusalKindsMax) {
      this.#addOther(); // (U1)
      return;
    }
    this.#kinds.set(key, { refusal, unreported: 0 });
    this.#report(refusal, 1);
    this.#timer ??= setTimeout(() => this.flush(), limits.refusalWindowMs).unref();
  }

  /** Reports what was only counted, and begins a new window. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const kinds = [...this.#kinds.values()];
    this.#kinds.clear();
    for (const { refusal, unreported } of kinds) {
      if (unreported > 0) this.#report(refusal, unreported);
    }
  }

  #addOther(): void {
    const known = this.#kinds.get('other');
    if (known !== undefined) known.unreported += 1;
    else this.#kinds.set('other', { refusal: others, unreported: 1 });
  }

  #report(refusal: Refusal, count: number): void {
    this.#onRefusal({ type: 'api-refused', ...refusal, count });
  }
}
