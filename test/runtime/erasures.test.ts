/** Erasures and forks of one run at the same time, in every order of what becomes durable. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newRunId } from '../../src/kernel/ids.ts';
import { Erasures } from '../../src/runtime/erasures.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
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
  const erasures = new Erasures({
    dataDirectory,
    follower: world.follower,
    threads: { producer: world },
    durable: { whenDurable: () => durable.promise },
  } as unknown as Parts);
  const flush = (): void => {
    world.flush();
    durable.resolve();
  };
  const fork = newRunId();
  world.follower.keys.create(fork, run);
  const hasKeys = (id: string): boolean => existsSync(join(dataDirectory, 'keys', id));
  return { run, fork, erasures, flush, hasKeys };
}

const never = (): Promise<never> => Promise.reject(new Error('the fork began'));

test('a run that is being erased is not forked, and the fork leaves no keys', async () => {
  const { run, fork, erasures, flush, hasKeys } = erasable();
  const erasing = erasures.erase(run, false);
  expect(hasKeys(run)).toBe(true);
  await expect(erasures.forked(fork, run, never)).rejects.toMatchObject({ code: 'RUN_ERASED' });
  expect(hasKeys(fork)).toBe(false);
  await expect(erasures.erase(run, false)).rejects.toMatchObject({
    code: 'RUN_HAS_FORKS',
    retryable: true,
  });
  flush();
  expect(await erasing).toEqual({ erased: [run] });
  expect(hasKeys(run)).toBe(false);
});

test('nor is one that was erased while the fork was prepared', async () => {
  const { run, fork, erasures, flush, hasKeys } = erasable();
  flush();
  await erasures.erase(run, false).catch(() => undefined);
  flush();
  await expect(erasures.forked(fork, run, never)).rejects.toMatchObject({ code: 'RUN_ERASED' });
  expect(hasKeys(fork)).toBe(false);
});

test('a run is not erased while a fork of it begins, but afterwards', async () => {
  const { run, fork, erasures, flush, hasKeys } = erasable();
  const begun = Promise.withResolvers<void>();
  const forking = erasures.forked(fork, run, () => begun.promise);
  await expect(erasures.erase(run, false)).rejects.toMatchObject({
    code: 'RUN_HAS_FORKS',
    retryable: true,
  });
  expect(hasKeys(run)).toBe(true);
  begun.resolve();
  await forking;
  flush();
  expect(await erasures.erase(run, false)).toEqual({ erased: [run] });
  expect(hasKeys(run)).toBe(false);
});
