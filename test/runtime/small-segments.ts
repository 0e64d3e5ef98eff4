/** Journals of small segments, so that there is something to drop. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { nodeFilePort } from '../../src/journal/file-port.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import type { RunId } from '../../src/kernel/ids.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { generated, World } from './world.ts';

export const definition = {
  name: 'demo',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
};

/** Does not compress, and is a record. */
export const noise = (): string => randomBytes(15_000).toString('base64');
export const answer = () => generated('yes');

/** A journal of small segments. */
export function open(data: string, keys = true): World {
  const world = new World(data, 1, 1_000, { files: nodeFilePort, keys });
  onTestFinished(() => world.close());
  return world;
}

/** Three ended runs and an open one; the third and the open one have a text of the first, `own` is its own. */
export function history({ keys = true } = {}) {
  const data = join(temporaryFolder(), 'data');
  openDataDirectory(data, 1).release();
  const world = open(data, keys);
  const shared = noise();
  const ended = (texts: readonly string[]): RunId => {
    const run = world.start(definition, texts);
    world.play(answer);
    return run;
  };
  const own = noise();
  const first = ended([shared, own, noise()]);
  const afterFirst = { sequence: verifyJournal(data).lastSequence + 1 };
  const second = ended([noise(), noise(), 'x'.repeat(80_000)]);
  const limit = { sequence: verifyJournal(data).lastSequence + 1 };
  const third = ended([shared, noise(), noise()]);
  const living = world.start(definition, [shared, noise()]);
  world.start(definition, [noise(), noise(), noise()]);
  world.play((_operation, _args, { run }) => (run === living ? null : answer()));
  world.close();
  return { data, shared, own, first, second, third, living, afterFirst, limit };
}
