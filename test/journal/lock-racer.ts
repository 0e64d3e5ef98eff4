/**
 * A process that tries to take the lock of each folder it is sent, holds what
 * it took until the next message, and tells which it was.
 */
import { DataDirectoryLock } from '../../src/journal/lock-file.ts';

let lock: DataDirectoryLock | null = null;

function take(folder: string): 'owner' | 'locked' | string {
  try {
    lock = new DataDirectoryLock(folder, 1);
    return 'owner';
  } catch (error) {
    const { code } = error as { code?: string };
    return code === 'DATA_DIRECTORY_LOCKED' ? 'locked' : String(error);
  }
}

process.on('message', (message: string) => {
  const folder = JSON.parse(message) as string | null;
  lock?.release();
  lock = null;
  process.send?.(folder === null ? 'released' : take(folder));
});
process.on('disconnect', () => process.exit());
