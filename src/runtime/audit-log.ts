/**
 * Writes audit events into the journal, for a running system and for commands
 * that work on the data directory of a stopped one.
 */
import { type AuditEvent, auditEventBytes } from '../identity/audit-event.ts';
import type { JournalProducer } from '../journal/journal-producer.ts';
import { JournalWriter } from '../journal/journal-writer.ts';
import { type AppendRecord, encodedBytes, encodeRecord } from '../journal/record.ts';
import { assert } from '../kernel/assert.ts';
import { systemClock } from '../kernel/clock.ts';
import { limits } from '../kernel/limits.ts';
import type { DurableWaiters } from './durable-waiters.ts';

const nobody = { actor: null, actorSequence: 0, epoch: 0, cause: null, previousDigest: null };

function auditRecord(event: AuditEvent, timeMs: number): AppendRecord {
  const body = auditEventBytes(event);
  assert(body.length <= limits.auditEventBytesMax, 'an audit event fits its limit');
  return { type: 'audit', run: null, ...nobody, timeMs, body };
}

export class AuditLog {
  readonly #producer: JournalProducer;
  readonly #durable: DurableWaiters;

  constructor(parts: { readonly producer: JournalProducer; readonly durable: DurableWaiters }) {
    this.#producer = parts.producer;
    this.#durable = parts.durable;
  }

  /** Resolves once the event is durable. @throws RuntimeError DISK_FULL, JOURNAL_FAILED */
  async append(event: AuditEvent): Promise<void> {
    const record = auditRecord(event, systemClock.nowMs());
    await this.#durable.whenDurable(this.#producer.append([record]));
  }
}

/**
 * Appends events to the journal of a data directory that the caller has locked.
 * @throws RuntimeError JOURNAL_CORRUPT, DISK_FULL, JOURNAL_FAILED
 */
export function appendAuditEvents(dataDirectory: string, events: readonly AuditEvent[]): void {
  const writer = JournalWriter.open(dataDirectory);
  try {
    const records = events.map((event) => auditRecord(event, systemClock.nowMs()));
    const bytes = Buffer.alloc(records.reduce((sum, record) => sum + encodedBytes(record), 0));
    let end = 0;
    for (const record of records) end = encodeRecord(record, bytes, end);
    writer.writeGroup([bytes]);
  } finally {
    writer.close();
  }
}
