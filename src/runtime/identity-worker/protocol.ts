/** What the authority's thread is started with. Everything else comes over the bus. */
import type { EndpointSpec } from '../../bus/endpoint.ts';
import type { Charter, CharterMatter } from '../../identity/charter.ts';
import type { PublicKey } from '../../identity/signing-key.ts';
import type { RunId } from '../../kernel/ids.ts';

export interface IdentityWorkerData {
  readonly endpoint: EndpointSpec;
  /** File of the authority's private key. */
  readonly keyFile: string;
}

/** The worker to main, once, through its port. */
export interface IdentityReady {
  readonly publicKey: PublicKey;
}

/** Main to the authority, the hosts and the actuators, before anything of the run: what it may be. */
export interface CharterMessage {
  readonly run: RunId;
  /** Null for a run of an older program that nothing was sealed of. */
  readonly charter: Charter;
  /** The definition that its permissions follow from, as text. */
  readonly definition: string;
}

/** Main asks the authority to seal what came in at the door. */
export type SealMessage = CharterMatter;
