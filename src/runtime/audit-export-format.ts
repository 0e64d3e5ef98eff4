/** The formats in which audit entries go out, one line of JSON each. */
import type { AuditEntry } from './audit-entry.ts';
import { cloudEventOf } from './cloud-event.ts';
import { ocsfEventOf } from './ocsf-event.ts';

export const auditFormats = ['ocsf', 'cloudevents'] as const;

export type AuditFormat = (typeof auditFormats)[number];

/** @param origin Name of the log. */
export function exportLine(format: AuditFormat, entry: AuditEntry, origin: string): string {
  const event = format === 'ocsf' ? ocsfEventOf(entry, origin) : cloudEventOf(entry, origin);
  return JSON.stringify(event);
}
