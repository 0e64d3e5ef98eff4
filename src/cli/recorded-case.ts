/**
 * A run as a regression test: its archive, and beside it what was true of it.
 * A case holds while this program's machines make the same of the same events.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunView } from '../runtime/views.ts';
import type { CommandContext } from './command.ts';
import type { ReplayReport } from './services.ts';

const factsSchema = z.strictObject({
  run: z.string(),
  pipeline: z.string(),
  status: z.string(),
  events: z.number().int(),
  stateHash: z.string(),
  resultHash: z.string().nullable(),
});

type CaseFacts = z.output<typeof factsSchema>;

export interface CaseReport {
  readonly name: string;
  readonly run: string;
  /** Facts that are others now, by name; null where the replay was not even reached. */
  readonly changed: readonly (keyof CaseFacts)[];
  readonly replay: ReplayReport;
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,80}$/i;

function factsOf({ id, pipeline, status, events, stateHash, resultHash }: RunView): CaseFacts {
  return { run: id, pipeline, status, events, stateHash, resultHash };
}

function pathsOf(folder: string, name: string): { archive: string; facts: string } {
  return { archive: join(folder, `${name}.claw`), facts: join(folder, `${name}.json`) };
}

/**
 * Writes the case of an ended run.
 * @param name of the pipeline and the end of the run’s id unless given.
 * @throws RuntimeError CASE_INVALID, FILE_EXISTS, and as `Services.exportRun`
 */
export async function recordCase(
  { services, config }: CommandContext,
  run: RunView,
  {
    folder,
    name = `${run.pipeline}-${run.id.slice(-8)}`,
  }: { folder: string; name?: string | undefined },
): Promise<{ archive: string; facts: string }> {
  if (!namePattern.test(name)) {
    throw new RuntimeError(
      'CASE_INVALID',
      `${name} is no name of a case; use letters, digits, dots, - and _.`,
    );
  }
  const paths = pathsOf(folder, name);
  if (existsSync(paths.facts)) {
    throw new RuntimeError('FILE_EXISTS', `${paths.facts} is there already; give another --name.`);
  }
  mkdirSync(folder, { recursive: true });
  await services.exportRun(config.dataDirectory, run.id, paths.archive, null);
  writeFileSync(paths.facts, `${JSON.stringify(factsOf(run), null, 2)}\n`);
  return paths;
}

/** Names of the cases in a folder, sorted. @throws RuntimeError CASE_INVALID when there is none */
export function caseNames(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const cases = names.flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : [])).sort();
  if (cases.length > 0) return cases;
  throw new RuntimeError(
    'CASE_INVALID',
    `There is no recorded case in ${folder}; claw test record RUN makes one.`,
  );
}

/**
 * Replays a case in a data directory of its own, which is removed again.
 * @throws RuntimeError CASE_INVALID, ARCHIVE_INVALID, and what a replay throws
 */
export async function checkCase(
  { services }: Pick<CommandContext, 'services'>,
  folder: string,
  name: string,
): Promise<CaseReport> {
  const { archive, facts } = pathsOf(folder, name);
  const expected = readFacts(facts);
  const data = mkdtempSync(join(tmpdir(), 'claw-case-'));
  try {
    await services.importRun(data, archive);
    const journal = await services.openReadOnly(data);
    try {
      const found = factsOf(journal.run(expected.run));
      const keys = Object.keys(expected) as (keyof CaseFacts)[];
      const changed = keys.filter((key) => found[key] !== expected[key]);
      return { name, run: expected.run, changed, replay: await journal.replay(expected.run) };
    } finally {
      await journal.close();
    }
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

function readFacts(path: string): CaseFacts {
  try {
    return factsSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new RuntimeError(
      'CASE_INVALID',
      `${path} does not tell what a case expects; record it again.`,
      {
        cause,
      },
    );
  }
}
