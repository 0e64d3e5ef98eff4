/**
 * What the journal worker and its client tell each other: lifecycle only. The
 * records travel through the journal ring, the progress lies in shared memory,
 * and other threads hear of it over the bus.
 */
import type { EndpointSpec } from '../../bus/endpoint.ts';
import type { JournalMemory } from '../../journal/journal-producer.ts';
import type { JournalMode } from '../../journal/journal-writer.ts';
import type { RecoveryReport } from '../../journal/recovery.ts';
import type { ErrorMessage } from '../../kernel/errors.ts';

/** Everything up to here is durable. */
export interface DurableNotice {
  /** Ring position, as `JournalProducer.append` returns it. */
  readonly position: number;
  readonly segment: number;
  readonly offset: number;
  readonly sequence: number;
}

export interface JournalWorkerData {
  readonly dataDirectory: string;
  readonly memory: JournalMemory;
  readonly endpoint: EndpointSpec;
  readonly segmentBytes: number;
  readonly mode: JournalMode;
}

export type JournalWorkerMessage =
  | { readonly type: 'started'; readonly recovered: RecoveryReport }
  /** A batch was not written because it does not continue what is there. */
  | { readonly type: 'refused'; readonly error: ErrorMessage }
  /** The last message: nothing is written any more. */
  | { readonly type: 'failed'; readonly error: ErrorMessage }
  | { readonly type: 'closed' };
