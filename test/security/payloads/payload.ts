/** One attack as data: what a hostile script tries, and what must come of it. */
import type { ErrorCode } from '../../../src/kernel/errors.ts';
import type { Json } from '../../../src/kernel/json.ts';

export interface Payload {
  readonly name: string;
  readonly source: string;
  /** The codes that contain it, or the honest value that it must not keep from coming. */
  readonly contained: readonly ErrorCode[] | { readonly value: Json };
  readonly timeoutMs?: number;
  readonly memoryMb?: number;
  readonly input?: Json;
}

export interface Family {
  readonly title: string;
  readonly payloads: readonly Payload[];
}

type Case = readonly [name: string, source: string];

/** Cases that end alike. */
export function all(
  contained: Payload['contained'],
  cases: readonly Case[],
  options: Pick<Payload, 'timeoutMs' | 'memoryMb' | 'input'> = {},
): Payload[] {
  return cases.map(([name, source]) => ({ name, source, contained, ...options }));
}
