/** The real desk of the operators over folds in memory, for tests of what calls it. */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '../../src/identity/audit-event.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { OperatorDesk } from '../../src/runtime/operator-desk.ts';
import { newSecurityState } from '../../src/runtime/security-state.ts';

export class InMemoryOperators extends OperatorDesk {
  readonly state: ReturnType<typeof newSecurityState>;
  readonly events: AuditEvent[];
  readonly dataDirectory: string;

  /** @param dataDirectory Without one that exists there is no proof for a first key. */
  constructor(dataDirectory = join(tmpdir(), `openclaw-none-${randomUUID()}`)) {
    const state = newSecurityState();
    const events: AuditEvent[] = [];
    super({
      dataDirectory,
      folds: state.folds,
      clock: systemClock,
      record: async (event) => {
        events.push(event);
        state.apply(event, { sequence: events.length, timeMs: systemClock.nowMs() });
      },
    });
    this.state = state;
    this.events = events;
    this.dataDirectory = dataDirectory;
  }
}
