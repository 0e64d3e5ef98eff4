/** Erasures and forks of one run at the same time, in every order of what becomes durable. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newRunId } from '../../src/kernel/ids.ts';
import { Erasures } from '../../src/runtime/erasures.ts';
import { ForksUnderWay } from '../../src/runtime/forks-under-way.ts';
import { temporaryFolder, thrownBy } from '../journal/journal-fixture.ts';
import { generated, World, writingPipeline, written } from './world.ts';

type Parts = ConstructorParameters<typeof Erasures>[0];

/** An ended run, and erasures whose records are durable when that is said. */
function erasable() {
  const dataDirectory = temporaryFolder();
  const world = new World(dataDirectory);
  onTestFinished(() => world.close());
  const run = world.start(writingPipeline, ['one']);
  world.play((operation) => (operation === 'file.write' ? written : generated('yes')));
  const durable = Promise.withResolvers<void>();
  const forks = new ForksUnderWay();
  const erasures = new Erasures({
    dataDirectory,
    follower: world.follower,
    forks,
    threads: { producer: world },
    durable: { whenDurable: () => durable.promise },
  } as unknown as Parts);
  const flush = (): void => {
    world.flush();
    durable.resolve();
  };
  const hasKeys = () => existsSync(join(dataDirectory, 'keys', run));
  return { run, forks, erasures, flush, hasKeys };
}

const busy = { code: 'RUN_HAS_FORKS', retryable: true };

test('a run that is being erased is neither forked nor erased once more', async () => {
  const { run, erasures, flush, hasKeys } = erasable();
  erasures.requireKept(run);
  const erasing = erasures.erase(run, false);
  expect(hasKeys()).toBe(true);
  expect(thrownBy(() => erasures.requireKept(run)).code).toBe('RUN_ERASED');
  erasures.requireKept(newRunId());
  await expect(erasures.erase(run, false)).rejects.toMatchObject(busy);
  flush();
  expect(await erasing).toEqual({ erased: [run] });
  expect(hasKeys()).toBe(false);
});

test('a run is not erased while a fork of it is under way, but afterwards', async () => {
  const { run, forks, erasures, flush, hasKeys } = erasable();
  const begun = Promise.withResolvers<void>();
  const forking = forks.of(run, () => begun.promise);
  const failing = forks.of(run, () => Promise.reject(new Error('it fails')));
  await expect(failing).rejects.toThrow('it fails');
  await expect(erasures.erase(run, false)).rejects.toMatchObject(busy);
  expect(hasKeys()).toBe(true);
  begun.resolve();
  await forking;
  flush();
  expect(await erasures.erase(run, false)).toEqual({ erased: [run] });
  expect(hasKeys()).toBe(false);
});
