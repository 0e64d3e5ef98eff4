/**
 * Journals that earlier versions recorded, against the machines of today. A
 * change of a machine that breaks one of them breaks the runs of users.
 */
import { expect, test } from 'vitest';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import { fixtureFolder, fixtureNames, recordedFacts } from '../journal/fixtures.ts';

test.each(fixtureNames)('%s replays to the hashes that it was recorded with', async (name) => {
  const { run, events, stateHash, resultHash } = recordedFacts(name);
  const journal = openReadOnly(fixtureFolder(name));
  expect(await journal.replay(run)).toMatchObject({ equal: true, events, stateHash });
  expect(journal.run(run)).toMatchObject({ status: 'succeeded', resultHash });
  journal.close();
});
