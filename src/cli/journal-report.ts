/** What a verification of the journal found, in words. */

import type { RepairReport } from '../journal/repair.ts';
import type { SkippedRange } from '../journal/skipped-ranges.ts';
import type { JournalFault, JournalVerification } from '../journal/verification.ts';
import type { CompactionReport } from '../runtime/compact-journal.ts';
import type { SnapshotAudit } from '../runtime/snapshot-run.ts';
import { bytesText } from './quantity.ts';

/** Lines, most important last. */
export function verificationText(found: JournalVerification): string {
  const { segments, groups, records, faults, blobFaults, torn, runsAffected } = found;
  const total = Object.values(records).reduce((sum, each) => sum + each, 0);
  return [
    `journal      ${segments} segments, ${groups} groups, ${total} records, ${bytesText(found.bytes)} bytes`,
    `texts        ${records.blob ?? 0} records, ${found.blobFiles} files`,
    `last seal    ${found.seal} (sequence ${found.lastSequence})`,
    ...(torn === null
      ? []
      : [
          `not sealed   ${torn.bytes} bytes in segment ${torn.segment} from offset ${torn.offset}: a write under way, or a torn tail that the next start cuts`,
        ]),
    ...(found.compacted === null
      ? []
      : [
          `dropped      ${found.compacted.segments} segments up to sequence ${found.compacted.lastSequence}, with ${found.compacted.runs} runs`,
        ]),
    ...found.skipped.map(skippedLine),
    ...faults.map(faultLine),
    ...blobFaults.map(({ hash, what }) => `damaged      text ${hash}: ${what}`),
    ...found.keysMissing.map((run) => `unreadable   run ${run}: its keys are missing or damaged`),
    ...(runsAffected.length === 0 ? [] : [`affected     ${runsAffected.join(', ')}`]),
    found.ok ? 'The journal is sound.' : 'The journal is damaged.',
  ].join('\n');
}

/** Whether the snapshots of open runs are what their events make. */
export function auditsText(audits: readonly SnapshotAudit[]): string {
  return [
    ...audits.map(({ run, at, events, difference }) =>
      difference === null
        ? `equal        ${run}: snapshot at event ${at}, and its continuation to ${events}`
        : `wrong        ${run}: snapshot at event ${at}: ${difference}`,
    ),
    audits.every(({ equal }) => equal)
      ? `${audits.length} snapshot(s) of open runs are what a full replay makes.`
      : 'A snapshot is wrong: report it. Nothing is lost, for the events decide.',
  ].join('\n');
}

/** What a compaction dropped, and because of which runs no more. */
export function compactionText(report: CompactionReport): string {
  const { segments, bytes, runs, held, done, lastSequence, seal } = report;
  return [
    ...runs.map(
      ({ id, events, stateHash }) => `equal        ${id}: ${events} events, state ${stateHash}`,
    ),
    ...held.map(
      ({ run, why, segment }) => `held back    ${run} from segment ${segment} on: ${why}`,
    ),
    ...(done
      ? [`texts        ${report.textsKept} kept as files, ${report.textsRemoved} files removed`]
      : []),
    segments === 0
      ? 'Nothing was dropped: no segment has only runs that ended before the limit. The last segment always stays.'
      : `${segments} segments, ${bytesText(bytes)} bytes, ${runs.length} runs ${done ? 'were dropped: the journal begins' : 'could go, and it would begin'} behind sequence ${lastSequence} and seal ${seal}.`,
  ].join('\n');
}

/** What a repair did, and what is left to say. */
export function repairText({ before, cutAt, kept, after }: RepairReport): string {
  const known = before.skipped.length;
  const done =
    before.faults.length === 0
      ? ['repaired     nothing, for no record is damaged']
      : [
          ...(cutAt === null
            ? []
            : [`cut          at segment ${cutAt.segment}, offset ${cutAt.offset}`]),
          `skipped      ${after.skipped.length - known} damaged ranges`,
          ...(kept === null ? [] : [`kept         ${kept}: the segments as they were`]),
        ];
  return [...done, verificationText(after)].join('\n');
}

function skippedLine({ from, to, lastSequence, nextSequence, what }: SkippedRange): string {
  return `skipped      segment ${from.segment}, offset ${from.offset} to segment ${to.segment}, offset ${to.offset}: ${what}; sequences ${lastSequence + 1} to ${nextSequence - 1} are lost`;
}

function faultLine({ segment, offset, what, lastGoodSequence, next }: JournalFault): string {
  const behind =
    next === null
      ? 'nothing can be read behind it'
      : `it can be read again from sequence ${next.sequence} (segment ${next.segment}, offset ${next.offset})`;
  return `damaged      segment ${segment}, offset ${offset}: ${what}; the last good sequence is ${lastGoodSequence}, ${behind}`;
}
