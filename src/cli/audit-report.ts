/** What a verification of the audit found, in words. */

import type { AuditFault } from '../runtime/audit-fault.ts';
import type { CheckpointReport } from '../runtime/audit-port.ts';
import type { AuditVerification } from '../runtime/audit-verification.ts';

/** Lines, most important last. */
export function auditText(found: AuditVerification): string {
  const { newest, witness, unsealed } = found;
  return [
    `log          ${found.origin ?? 'none yet; claw audit checkpoint begins one'}`,
    `records      ${found.size}, of them ${found.auditRecords} of the audit; root ${found.root}`,
    `checkpoints  ${found.checkpoints}${newest === null ? '' : `, the newest of ${newest.size} records${cosignedText(newest.cosigned)}`}`,
    `uncovered    ${found.uncovered} records behind it`,
    ...(witness === null
      ? []
      : [`witness      ${witness.name} has cosigned ${witness.size} records`]),
    ...(unsealed === null
      ? []
      : [
          `not sealed   ${unsealed.bytes} bytes in segment ${unsealed.segment} from offset ${unsealed.offset}: a write under way, or a torn tail that the next start cuts`,
        ]),
    ...found.faults.map(faultLine),
    ...(found.moreFaults === 0 ? [] : [`and ${found.moreFaults} more`]),
    verdict(found),
  ].join('\n');
}

function verdict({ ok, witness, newest }: AuditVerification): string {
  if (!ok) return 'The audit is damaged, or the journal is not the one that was counted.';
  if (witness !== null) return 'The audit is sound, and continues what the witness saw.';
  return newest === null
    ? 'The journal is sound; nothing but itself vouches for it yet.'
    : 'The audit is sound. Whether it was rolled back only a witness can tell: --witness.';
}

function cosignedText(names: readonly string[]): string {
  return names.length === 0 ? ', cosigned by nobody' : `, cosigned by ${names.join(', ')}`;
}

function faultLine({ file, offset, records, what }: AuditFault): string {
  const where = offset === null ? '' : `, offset ${offset}`;
  const span =
    records === null
      ? ''
      : records.from === records.to
        ? ` (record ${records.from})`
        : ` (records ${records.from} to ${records.to})`;
  return `damaged      ${file}${where}${span}: ${what}`;
}

export function checkpointText({ size, taken, root, witness }: CheckpointReport): string {
  const state = taken ? 'signed' : 'there is nothing new';
  const said =
    witness === null
      ? []
      : [
          witness.cosigned
            ? 'The witness has cosigned it.'
            : `Not cosigned: ${witness.problem?.message}`,
        ];
  return [`${size} records, root ${root}: ${state}`, ...said].join('\n');
}
