/**
 * The follower that a thread of the pool keeps from task to task, so that a
 * snapshot reads what is new in the journal and not all of it again.
 */
import { JournalFollower } from './journal-follower.ts';

let kept: { readonly dataDirectory: string; readonly follower: JournalFollower } | null = null;

/** Calls `use` with a follower that shows the journal as it is now. */
export function withKeptFollower<Result>(
  dataDirectory: string,
  use: (follower: JournalFollower) => Result,
): Result {
  if (kept !== null && kept.dataDirectory !== dataDirectory) forget();
  const isOld = kept !== null;
  kept ??= { dataDirectory, follower: new JournalFollower(dataDirectory, { verifyDigests: true }) };
  try {
    kept.follower.advance();
    return use(kept.follower);
  } catch (error) {
    forget();
    // A compaction may have moved what it knew of.
    if (isOld) return withKeptFollower(dataDirectory, use);
    throw error;
  }
}

function forget(): void {
  kept?.follower.close();
  kept = null;
}
