/** What a verification of the journal found, in words. */
import type { JournalFault, JournalVerification } from '../journal/verification.ts';
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
    ...faults.map(faultLine),
    ...blobFaults.map(({ hash, what }) => `damaged      text ${hash}: ${what}`),
    ...(runsAffected.length === 0 ? [] : [`affected     ${runsAffected.join(', ')}`]),
    found.ok ? 'The journal is sound.' : 'The journal is damaged.',
  ].join('\n');
}

function faultLine({ segment, offset, what, lastGoodSequence, next }: JournalFault): string {
  const behind =
    next === null
      ? 'nothing can be read behind it'
      : `it can be read again from sequence ${next.sequence} (segment ${next.segment}, offset ${next.offset})`;
  return `damaged      segment ${segment}, offset ${offset}: ${what}; the last good sequence is ${lastGoodSequence}, ${behind}`;
}
