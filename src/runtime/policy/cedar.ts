/** The Cedar package, loaded once and only where policies are needed: it takes a while. */
import { RuntimeError } from '../../kernel/errors.ts';

export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

let loaded: Promise<Cedar> | null = null;

/**
 * @throws RuntimeError NATIVE_PACKAGE_MISSING: without policies nothing may be let through.
 */
export function loadCedar(): Promise<Cedar> {
  loaded ??= import('@cedar-policy/cedar-wasm/nodejs').catch((cause: unknown) => {
    loaded = null;
    throw new RuntimeError(
      'NATIVE_PACKAGE_MISSING',
      'The package @cedar-policy/cedar-wasm, which evaluates policies, does not load; run npm ci again.',
      { cause },
    );
  });
  return loaded;
}
