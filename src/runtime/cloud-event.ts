/** An audit entry as an event of CloudEvents 1.0, in its JSON format. */
import type { AuditEntry } from './audit-entry.ts';

export interface CloudEvent {
  readonly specversion: '1.0';
  /** Unique within the source, and the same whenever the entry is told again. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  /** RFC 3339. */
  readonly time: string;
  readonly datacontenttype: 'application/json';
  /** Of the record in the journal, in 16 digits (the extension of that name). */
  readonly sequence: string;
  readonly data: object;
}

/** @param origin Name of the log. */
export function cloudEventOf(entry: AuditEntry, origin: string): CloudEvent {
  const { id, timeMs, kind, sequence, ...rest } = entry;
  const { type, data } =
    'event' in rest
      ? { type: `openclaw.audit.${rest.event.type}`, data: rest.event }
      : { type: `openclaw.${kind}`, data: rest };
  const subject = 'run' in rest ? { subject: rest.run } : {};
  return {
    specversion: '1.0',
    id,
    source: `/${origin}`,
    type,
    ...subject,
    time: new Date(timeMs).toISOString(),
    datacontenttype: 'application/json',
    sequence: String(sequence).padStart(16, '0'),
    data,
  };
}
