/** What the actuator worker is started with. Everything else comes over the bus. */

import type { IntentionRequest } from '../../actuators/intention-request.ts';
import type { EndpointSpec } from '../../bus/endpoint.ts';
import type { PublicKey } from '../../identity/signing-key.ts';
import type { JournalMode } from '../../journal/journal-writer.ts';
import type { ErrorMessage } from '../../kernel/errors.ts';
import type { PolicyFile } from '../policy/policy-files.ts';
import type { SandboxPoolSettings } from '../sandbox-config.ts';

export interface ActuatorWorkerData {
  readonly endpoint: EndpointSpec;
  readonly dataDirectory: string;
  readonly directory: SharedArrayBuffer;
  /** How far the journal is durable (`JournalProgress`). */
  readonly journalProgress: SharedArrayBuffer;
  readonly journalMode: JournalMode;
  /** Of the runtime's authority. */
  readonly authority: PublicKey;
  readonly sandbox: SandboxPoolSettings;
  readonly hosts: number;
  /** Of the vault; null where none was given. */
  readonly vaultPassphrase: string | null;
  /** The policies in force. */
  readonly policies: readonly PolicyFile[];
}

/** The worker to main, once: whether it takes intentions. */
export type ActuatorsReady =
  | { readonly type: 'ready' }
  | { readonly type: 'refused'; readonly error: ErrorMessage };

/** Host to the authority. The tag comes back with the outcome. */
export interface UnsignedActMessage {
  readonly tag: string;
  readonly request: Omit<IntentionRequest, 'credentials' | 'denial'>;
}

/** The authority to the worker. */
export interface ActMessage {
  readonly tag: string;
  readonly request: IntentionRequest;
}
