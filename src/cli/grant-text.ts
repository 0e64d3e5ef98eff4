/** A grant as a person reads it before signing: everything that it allows, on one screen. */
import type { EgressGrant, EgressSubject } from '../identity/egress-grant.ts';
import { alignedRows } from './aligned-rows.ts';

export function grantText(grant: EgressGrant): string {
  const { subject, methods, scheme, host, port, pathPrefix, maxUses, bytesMax, credentials } =
    grant;
  const below = pathPrefix.endsWith('/') ? 'everything below' : 'and everything below it';
  const rows = [
    ['who', subjectText(subject)],
    ['how', methods.join(', ')],
    ['where', `${scheme}://${host}:${port}${pathPrefix} ${below}`],
    ['how often', `${maxUses} times at most, redirects counted`],
    ['how much', `${Math.floor(bytesMax / 1_024)} KiB of each request and of each answer`],
    ['from', new Date(grant.notBefore).toISOString()],
    ['until', new Date(grant.expires).toISOString()],
    ...(credentials.length === 0 ? [['secrets', 'none']] : []),
    ...credentials.map(({ secret, header, format }) => [
      'secret',
      `${secret}, as ${header}: ${format.replace('{}', '…')}`,
    ]),
  ];
  return alignedRows(rows).join('\n');
}

export function subjectText(subject: EgressSubject): string {
  if ('script' in subject) return `the script with SHA-256 ${subject.script}`;
  if ('skill' in subject) return `the skill ${subject.skill}`;
  const where =
    subject.pipeline === undefined ? 'any pipeline' : `the pipeline ${subject.pipeline}`;
  return `the agent ${subject.agent} of ${where}`;
}
