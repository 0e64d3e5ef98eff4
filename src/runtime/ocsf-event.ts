/**
 * An audit entry as an event of OCSF 1.3. What an actor wants done outside is API
 * activity (6003); events of the audit are told apart by their type:
 *
 * | type of the event | class |
 * | --- | --- |
 * | `quarantine…`, `anomaly…`, `tamper…` | 2004 Detection Finding |
 * | `token…`, `signature…`, `auth…`, `certificate…`, `api…` | 3002 Authentication |
 * | `grant…`, `egress…`, `approval…`, `clearance…`, `policy…` | 3003 Authorize Session |
 * | `key…`, `operator…`, `secret…` | 3001 Account Change |
 * | others | 6003 API Activity |
 *
 * Fields of an event that have no place in the class stand in `unmapped`.
 */
import type { AuditEvent } from '../identity/audit-event.ts';
import type { JsonObject } from '../kernel/json.ts';
import type { AuditEntry } from './audit-entry.ts';
import { productVersion } from './version.ts';

/** Fields that every class requires, and those of its own. */
export type OcsfEvent = JsonObject;

interface Shape {
  readonly category: number;
  readonly class: number;
  readonly activity: number;
  readonly activityName: string;
}

const ocsfVersion = '1.3.0';
const severities = { informational: 1, medium: 3, high: 4 } as const;
const statuses = { unknown: 0, success: 1, failure: 2 } as const;
const other = 99;

/** @param origin Name of the log. */
export function ocsfEventOf(entry: AuditEntry, origin: string): OcsfEvent {
  switch (entry.kind) {
    case 'audit':
      return auditEvent(entry, entry.event, origin);
    case 'effect-requested':
    case 'effect-answered':
      return effectEvent(entry, origin);
    default: {
      const operation = entry.kind.replace('-', '.');
      const failed = entry.kind === 'run-ended' && entry.status !== 'succeeded';
      const status = failed ? statuses.failure : statuses.success;
      return {
        ...base(entry, origin, apiShape('other', operation)),
        ...apiFields(operation, 'runtime'),
        status_id: status,
        unmapped: { ...withoutPlace(entry) },
      };
    }
  }
}

function effectEvent(
  entry: Extract<AuditEntry, { readonly kind: 'effect-requested' | 'effect-answered' }>,
  origin: string,
): OcsfEvent {
  const { operation, run, actor, key } = entry;
  const answered = entry.kind === 'effect-answered';
  const refused = answered && entry.status === 'refused';
  const shape = apiShape(activityOf(operation), answered ? 'answered' : 'requested');
  const code = answered ? entry.code : null;
  return {
    ...base(entry, origin, shape, refused ? severities.medium : severities.informational),
    ...apiFields(operation, actor),
    status_id: answered ? statusOf(entry.status) : statuses.unknown,
    status: answered ? entry.status : 'requested',
    ...(code === null ? {} : { status_code: code }),
    ...(refused ? { action_id: 2, action: 'Denied' } : {}),
    unmapped: { run, key, ...(answered ? {} : { digest: entry.digest }), effect: entry.effect },
  };
}

function auditEvent(entry: AuditEntry, event: AuditEvent, origin: string): OcsfEvent {
  const refused = /-(refused|denied|rejected|failed)$/.test(event.type);
  const who = textOf(event.actor) ?? textOf(event.operator) ?? textOf(event.name) ?? 'runtime';
  const code = textOf(event.code);
  const common = {
    status_id: refused ? statuses.failure : statuses.success,
    ...(code === null ? {} : { status_code: code }),
    unmapped: event,
  };
  const severity = refused ? severities.medium : severities.informational;
  if (/^(quarantin|anomal|tamper)/.test(event.type)) {
    const isOver = event.type.endsWith('-released');
    const shape = { ...finding, ...(isOver ? closed : {}) };
    return {
      ...base(entry, origin, shape, isOver ? severities.informational : severities.high),
      ...common,
      finding_info: { uid: `${origin}#${entry.sequence}`, title: `${event.type}: ${who}` },
      status_id: isOver ? 4 : 1, // Resolved, new.
    };
  }
  const user = { name: who, type_id: other, type: 'agent or operator' };
  if (/^(token|signature|auth(?!ority)|certificate|api)/.test(event.type)) {
    const shape = { ...authentication, activityName: event.type };
    return {
      ...base(entry, origin, shape, severity),
      ...common,
      user,
      service: { name: 'gateway' },
    };
  }
  if (/^(grant|egress|approval|clearance|policy)/.test(event.type)) {
    const activity = /-(added|granted|signed|issued)$/.test(event.type) ? 1 : other;
    const shape = { category: 3, class: 3003, activity, activityName: event.type };
    return { ...base(entry, origin, shape, severity), ...common, user };
  }
  if (/^(key|operator|secret)/.test(event.type)) {
    const shape = {
      category: 3,
      class: 3001,
      activity: accountActivity(event.type),
      activityName: event.type,
    };
    return { ...base(entry, origin, shape, severity), ...common, user };
  }
  return {
    ...base(entry, origin, apiShape('other', event.type), severity),
    ...common,
    ...apiFields(event.type, who),
  };
}

const finding: Shape = { category: 2, class: 2004, activity: 1, activityName: 'Create' };
const closed = { activity: 3, activityName: 'Close' };
const authentication: Shape = { category: 3, class: 3002, activity: other, activityName: '' };

function accountActivity(type: string): number {
  if (/-(enrolled|created|added|set)$/.test(type)) return 1; // Create
  return /-(revoked|removed|lost|deleted)$/.test(type) ? 6 : other; // Delete
}

const apiActivities = { create: 1, read: 2, update: 3, delete: 4, other } as const;

function apiShape(activity: keyof typeof apiActivities, activityName: string): Shape {
  return { category: 6, class: 6003, activity: apiActivities[activity], activityName };
}

function activityOf(operation: string): keyof typeof apiActivities {
  const name = operation.split('.').at(1) ?? '';
  if (/^(read|list|get|find)/.test(name)) return 'read';
  if (/^(write|append|update|put)/.test(name)) return 'update';
  if (/^(delete|remove)/.test(name)) return 'delete';
  return 'other';
}

function apiFields(operation: string, actor: string): JsonObject {
  return {
    actor: { app_name: 'openclaw', user: { name: actor, type_id: other, type: 'agent' } },
    api: { operation, service: { name: operation.split('.')[0] ?? operation } },
    src_endpoint: { name: 'localhost' },
  };
}

function statusOf(status: 'completed' | 'failed' | 'refused' | 'unknown'): number {
  if (status === 'unknown') return statuses.unknown;
  return status === 'completed' ? statuses.success : statuses.failure;
}

function base(
  { id, sequence, timeMs }: AuditEntry,
  origin: string,
  shape: Shape,
  severity: number = severities.informational,
): JsonObject {
  return {
    category_uid: shape.category,
    class_uid: shape.class,
    activity_id: shape.activity,
    activity_name: shape.activityName,
    type_uid: shape.class * 100 + shape.activity,
    severity_id: severity,
    time: timeMs,
    metadata: {
      version: ocsfVersion,
      product: { name: 'OpenClaw', vendor_name: 'OpenClaw', version: productVersion },
      uid: id,
      log_name: origin,
      sequence,
    },
  };
}

function withoutPlace(entry: AuditEntry): JsonObject {
  const { id: _id, sequence: _sequence, timeMs: _timeMs, kind: _kind, ...rest } = entry;
  return rest as unknown as JsonObject; // Entries of runs are plain texts.
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
