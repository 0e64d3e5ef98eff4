/** What the actuator worker is started with. Everything else comes over the bus. */

import type { IntentionRequest } from '../../actuators/intention-request.ts';
import type { EndpointSpec } from '../../bus/endpoint.ts';
import type { PublicKey } from '../../identity/signing-key.ts';
import type { JournalMode } from '../../journal/journal-writer.ts';

export interface ActuatorWorkerData {
  readonly endpoint: EndpointSpec;
  readonly dataDirectory: string;
  readonly directory: SharedArrayBuffer;
  /** How far the journal is durable (`JournalProgress`). */
  readonly journalProgress: SharedArrayBuffer;
  readonly journalMode: JournalMode;
  readonly hosts: number;
}

/** Main to the worker, before any intention: the keys that vouch for the keys of actors. */
export interface HostKeyMessage {
  /** Index of the host. */
  readonly host: number;
  readonly publicKey: PublicKey;
}

/** Host to the worker. The tag comes back with the outcome. */
export interface ActMessage {
  readonly tag: string;
  readonly request: IntentionRequest;
}
