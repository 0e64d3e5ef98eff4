/**
 * The secrets of the vault as the actuators hold them: one at a time for the
 * request that a grant names it in, and all of them for the scrubber.
 *
 * Invariants
 *   S1. The vault is read again once it has changed, and not before.
 *   S2. A value that was replaced or removed is scrubbed as long as this
 *       process lives: a server may still know it.
 */
import { Vault, vaultStamp } from '../identity/vault.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { IntentionOutcome } from './intention-request.ts';
import { Scrubber } from './scrubber.ts';

/** Values that were replaced or removed and are scrubbed still. */
const retiredMax = 1_024;

export class SecretSource {
  readonly #dataDirectory: string;
  readonly #passphrase: string | null;
  #stamp: string | null = null;
  #values: ReadonlyMap<string, string> = new Map();
  /** By value, the name under which it is scrubbed; also those of before (S2). */
  readonly #known = new Map<string, string>();
  #scrubber = new Scrubber([]);
  #failure: RuntimeError | null = null;

  /** @param passphrase Null: a vault with a key file, or none. */
  constructor(dataDirectory: string, passphrase: string | null) {
    this.#dataDirectory = dataDirectory;
    this.#passphrase = passphrase;
  }

  /** @throws RuntimeError SECRET_NOT_FOUND, VAULT_LOCKED, VAULT_DAMAGED */
  value(name: string): string {
    this.#refresh();
    if (this.#failure !== null) throw this.#failure;
    const value = this.#values.get(name);
    if (value !== undefined) return value;
    throw new RuntimeError('SECRET_NOT_FOUND', `The vault has no secret ${name}.`);
  }

  /** The outcome without any secret in it. */
  scrub(outcome: IntentionOutcome): IntentionOutcome {
    this.#refresh();
    if (outcome.status === 'completed') {
      return { ...outcome, value: this.#scrubber.json(outcome.value) };
    }
    const { error } = outcome;
    return { ...outcome, error: { ...error, message: this.#scrubber.text(error.message) } };
  }

  #refresh(): void {
    const stamp = vaultStamp(this.#dataDirectory);
    if (stamp === this.#stamp) return; // (S1)
    this.#stamp = stamp;
    this.#values = new Map();
    this.#failure = null;
    try {
      const vault = Vault.open(this.#dataDirectory, this.#passphrase);
      const names = vault?.names() ?? [];
      this.#values = new Map(names.map((name) => [name, vault?.value(name) ?? '']));
    } catch (error) {
      this.#failure =
        error instanceof RuntimeError
          ? error
          : new RuntimeError('VAULT_DAMAGED', 'The vault cannot be read.');
      return;
    }
    for (const [name, value] of this.#values) {
      this.#known.delete(value);
      this.#known.set(value, name);
    }
    for (const value of this.#known.keys()) {
      if (this.#known.size <= retiredMax) break;
      this.#known.delete(value);
    }
    this.#scrubber = new Scrubber(Array.from(this.#known, ([value, name]) => ({ name, value })));
  }
}
