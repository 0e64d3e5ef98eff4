/** The desk of the operators without a server, for whoever has the data directory to himself. */
import type { AuditEvent } from '../identity/audit-event.ts';
import { keysResetEvent } from '../identity/operator-keys.ts';
import { openDataDirectory } from '../journal/data-directory.ts';
import { systemClock } from '../kernel/clock.ts';
import { appendAuditEvents } from './audit-log.ts';
import { JournalFollower } from './journal-follower.ts';
import { OperatorDesk } from './operator-desk.ts';
import type { OperatorPort } from './operator-port.ts';

export interface OfflineOperators {
  readonly operators: OperatorPort;
  /** Forgets all keys, so that the next enrolment is the first again; no grant counts from then on. */
  resetKeys(reason: string): Promise<void>;
  /** Gives the data directory back. */
  close(): void;
}

/** Takes the lock of the data directory. @throws RuntimeError as `openDataDirectory` */
export function openOfflineOperators(dataDirectory: string): OfflineOperators {
  const data = openDataDirectory(dataDirectory, systemClock.nowMs());
  try {
    const follower = new JournalFollower(data.path);
    follower.advance();
    const record = async (event: AuditEvent): Promise<void> => {
      appendAuditEvents(data.path, [event]);
      follower.advance();
    };
    const { folds } = follower.security;
    return {
      operators: new OperatorDesk({
        dataDirectory: data.path,
        folds,
        clock: systemClock,
        record,
      }),
      resetKeys: (reason) => record(keysResetEvent(reason)),
      close: () => {
        follower.close();
        data.release();
      },
    };
  } catch (error) {
    data.release();
    throw error;
  }
}
