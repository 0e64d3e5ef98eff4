/** Starts a runtime on its data directory; what fails on the way gives all of it back. */
import { openDataDirectory } from '../journal/data-directory.ts';
import { systemClock } from '../kernel/clock.ts';
import { refuseOutdatedIsolatedVm } from '../sandbox/isolated-vm-files.ts';
import type { RuntimeConfig } from './config.ts';
import type { HostDeath } from './host-pool.ts';
import { JournalFollower } from './journal-follower.ts';
import { Runtime, type RuntimeHooks } from './runtime.ts';
import { type RuntimeThreads, startThreads } from './runtime-threads.ts';

/**
 * Opens the data directory, recovers the journal, starts the threads, loads
 * the model, and continues the open runs.
 * @throws RuntimeError DATA_DIRECTORY_LOCKED, DATA_DIRECTORY_UNUSABLE,
 *   DATA_VERSION_NEWER, JOURNAL_CORRUPT, DISK_FULL, MODEL_NOT_FOUND,
 *   MODEL_INVALID, NATIVE_PACKAGE_MISSING, ISOLATED_VM_OUTDATED, and what an endpoint answers.
 */
export async function startRuntime(
  config: RuntimeConfig,
  hooks: RuntimeHooks = {},
): Promise<Runtime> {
  // Children inherit the environment; the settings have it by now.
  delete process.env.OPENCLAW_VAULT_PASSPHRASE;
  refuseOutdatedIsolatedVm();
  const data = openDataDirectory(config.dataDirectory, systemClock.nowMs());
  let runtime: Runtime | null = null;
  let threads: RuntimeThreads | null = null;
  const early: HostDeath[] = [];
  try {
    threads = await startThreads(
      config,
      (error) => runtime?.fail(error),
      (death) => (runtime === null ? early.push(death) : runtime.hostDied(death)),
    );
    const follower = new JournalFollower(config.dataDirectory);
    follower.advance();
    runtime = new Runtime({ config, data, threads, follower, hooks });
    for (const death of early) runtime.hostDied(death);
    await runtime.open();
    return runtime;
  } catch (error) {
    if (runtime !== null) await runtime.stop();
    else {
      await threads?.stop();
      data.release();
    }
    throw error;
  }
}
