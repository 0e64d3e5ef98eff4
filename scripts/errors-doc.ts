/**
 * Writes docs/errors.md from the catalogue in src/kernel/errors.ts.
 */
import { writeFileSync } from 'node:fs';
import { errorCatalogue, exitStatus } from '../src/kernel/errors.ts';

export const errorsDocFile = new URL('../docs/errors.md', import.meta.url);

const exitMeanings: Record<keyof typeof exitStatus, string> = {
  ok: 'The command did what it was asked.',
  unexpected: 'A fault inside the runtime.',
  badInput: 'The command, a file or a request is wrong; correct it and try again.',
  diverged: 'A replay found another state than the journal, or two compared runs differ.',
  environment:
    'Something outside is missing, busy or full: a port, a disk, an endpoint, a package.',
  dataDamaged: 'The data directory is damaged or of a newer version.',
  runFailed: 'The run or the script ended without its result.',
  interrupted:
    'Ctrl-C or another request to stop came before the result. An open run goes on in its server, or with `claw up`.',
};

/** The text of docs/errors.md. */
export function errorsDocText(): string {
  const exits = Object.entries(exitStatus).map(
    ([name, status]) => `| ${status} | ${exitMeanings[name as keyof typeof exitStatus]} |`,
  );
  const codes = Object.entries(errorCatalogue).map(
    ([code, entry]) =>
      `| <a id="${code.toLowerCase()}"></a>\`${code}\` | ${entry.exit} | ${entry.http} | ${entry.meaning} | ${entry.remedy} |`,
  );
  return `# Errors

Every error has a code. A code never changes its meaning; new ones may be added.
\`claw\` prints the sentence and the code on stderr and ends with the exit status
below; the API answers \`application/problem+json\` (RFC 9457) with the HTTP
status and the code. \`--debug\` adds the stack trace.

\`claw run\` of a run that fails ends with the status of the error that ended the
run, such as 4 for an endpoint that is down, and with 6 where it has none.
\`claw doctor\` ends with 5 where the data directory is damaged or of a newer
version, and with 4 for whatever else it finds wrong.

This file is written by \`npm run docs\` from \`src/kernel/errors.ts\`.

## Exit statuses

| status | meaning |
| --- | --- |
${exits.join('\n')}

## Codes

| code | exit status | HTTP status | meaning | remedy |
| --- | --- | --- | --- | --- |
${codes.join('\n')}
`;
}

if (import.meta.main) writeFileSync(errorsDocFile, errorsDocText());
