/** What a host worker is started with. Everything else comes over the bus. */
import type { EndpointSpec } from '../../bus/endpoint.ts';
import type { PublicKey } from '../../identity/signing-key.ts';
import type { JournalMemory } from '../../journal/journal-producer.ts';

export interface HostWorkerData {
  readonly index: number;
  readonly count: number;
  /** Texts too large for a record become files here. */
  readonly dataDirectory: string;
  readonly endpoint: EndpointSpec;
  readonly journal: JournalMemory;
  readonly directory: SharedArrayBuffer;
  /** Memory of the `SteppedEvent`. */
  readonly stepped: SharedArrayBuffer;
  /** Memory of the `UnbrokenSection` that the host compresses in. */
  readonly unbroken: SharedArrayBuffer;
}

/** First and only message to main: the key that vouches for the keys of this host's actors. */
export interface HostReady {
  readonly type: 'ready';
  readonly publicKey: PublicKey;
}
