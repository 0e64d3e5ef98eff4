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
  /** Of the seals between the threads, 32 bytes. */
  readonly messageKey: Uint8Array;
  /** Of the runtime's authority. */
  readonly authority: PublicKey;
}

/** First and only message to main. */
export interface HostReady {
  readonly type: 'ready';
}
