import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { verifyJournal } from '../../src/journal/verification.ts';
import { appendAuditEvents } from '../../src/runtime/audit-log.ts';
import { compactJournal } from '../../src/runtime/compact-journal.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';
import { openRuntime, testFolder } from './running.ts';
import { answer, definition, noise, open } from './small-segments.ts';

const quarantined = { type: 'quarantined', run: 'r', actor: 'a', code: 'TEST', message: 'why' };

function quarantineIn(data: string) {
  const follower = new JournalFollower(data);
  onTestFinished(() => follower.close());
  follower.advance();
  return follower.security.folds.quarantine.all();
}

describe('the audit in the journal', () => {
  test('an event is durable when it is acknowledged, and is there after a restart', async () => {
    const data = testFolder();
    const runtime = await openRuntime(data);
    await runtime.security.record(quarantined);
    expect(runtime.security.operators.quarantined()).toMatchObject([{ actor: 'a', code: 'TEST' }]);
    expect(quarantineIn(data)).toEqual(runtime.security.operators.quarantined());
    const before = runtime.security.operators.quarantined();
    await runtime.stop();
    const again = await openRuntime(data);
    expect(again.security.operators.quarantined()).toEqual(before);
  });

  test('what the audit had come to outlasts the segments that it stood in', async () => {
    const data = join(temporaryFolder(), 'data');
    openDataDirectory(data, 1).release();
    open(data).close(); // Whose segments are small.
    appendAuditEvents(data, [quarantined]);
    const before = quarantineIn(data);
    expect(before).toHaveLength(1);
    const world = open(data);
    for (let run = 0; run < 3; run += 1) {
      world.start(definition, [noise(), noise(), noise()]);
      world.play(answer);
    }
    world.close();
    const limit = { sequence: verifyJournal(data).lastSequence + 1 };
    const { lastSequence } = await compactJournal(data, limit, { nowMs: 1 });
    expect(lastSequence).toBeGreaterThan(before[0]?.sequence ?? Number.NaN);
    expect(quarantineIn(data)).toEqual(before);
  });
});
