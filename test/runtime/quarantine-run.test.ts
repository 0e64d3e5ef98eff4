/**
 * Goal: an actor in quarantine does nothing, whatever comes, until operators
 * say so; nothing else of the runtime suffers. Method: real runs on real
 * threads, and operators' keys.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { signDocument } from '../../src/identity/operator-signature.ts';
import type { QuarantineEntry } from '../../src/identity/quarantine.ts';
import type { ReleaseStatement } from '../../src/identity/quarantine-release.ts';
import { generateKeyPair } from '../../src/identity/signing-key.ts';
import { openDataDirectory } from '../../src/journal/data-directory.ts';
import { openReadOnly } from '../../src/runtime/read-only.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { enrolment, nonce } from '../identity/operators.ts';
import { type HeldModel, heldModel } from './held-model.ts';
import { rewriteJournal } from './rewritten-journal.ts';
import {
  deskTexts,
  journalOf,
  makeDesk,
  openRuntime,
  runToEnd,
  testFolder,
  untilEvents,
} from './running.ts';

const operator = generateKeyPair();
const agent = 'run/document-1/supervisor/triage';

function putAway(runtime: Runtime, run: string, actor = agent): Promise<void> {
  const why = { code: 'TOKEN_INVALID', message: 'A forged token.' };
  return runtime.security.record({ type: 'quarantined', run, actor, ...why });
}

async function enroll(runtime: Runtime): Promise<void> {
  const { statement, signatures } = enrolment('ada', operator, [], {
    expires: Date.now() + 60_000,
  });
  await runtime.security.record({
    type: 'key-enrolled',
    statement: statement as never,
    signatures: [...signatures] as never,
  });
}

function letGo(runtime: Runtime, { run, actor, sequence }: QuarantineEntry, signer = operator) {
  const statement: ReleaseStatement = {
    purpose: 'quarantine-release',
    run,
    actor,
    sequence,
    nonce: nonce(),
    expires: Date.now() + 60_000,
  };
  const signatures = [signDocument(signer, statement)];
  return runtime.security.operators.release({ statement, signatures });
}

const pipeline = (folder: string) => ({
  name: 'two',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [{ id: 'triage', agent: 'echo', map: 'documents' }],
  input: { workspace: folder },
});

describe('an actor in quarantine', () => {
  test('stands still over a restart, is shown and replayed, and goes on when operators say so', async () => {
    const model = await heldModel();
    const settings = heldBy(model);
    const { dataDirectory, request } = makeDesk(['one', 'two']);
    const wanted = { ...request, pipeline: pipeline(testFolder()) };
    const first = await openRuntime(dataDirectory, settings);
    await enroll(first);
    const { id } = await first.startRun(wanted);
    await until(() => model.calls.length >= 2);
    await putAway(first, id);
    model.release();
    await untilEvents(first, id, 1);
    // The other document goes on to its end; this one's answer waits in its mailbox.
    await until(() => first.run(id).progress.stepsDone === 1);
    const own = () => first.events(id, { from: 1, limit: 1_000 }).filter((e) => e.actor === agent);
    expect(own().map(({ event }) => event.type)).toEqual(['start']);
    expect(first.run(id).status).toBe('running');
    await first.stop();

    const second = await openRuntime(dataDirectory, settings);
    const [entry] = second.security.operators.quarantined();
    if (entry === undefined) throw new Error('the quarantine is gone');
    expect(entry).toMatchObject({ run: id, actor: agent, code: 'TOKEN_INVALID' });
    const calls = model.calls.length;
    const journal = openReadOnly(dataDirectory);
    expect((await journal.replay(id)).equal).toBe(true);
    journal.close();
    await expect(letGo(second, entry, generateKeyPair())).rejects.toMatchObject({
      code: 'RELEASE_REFUSED',
    });
    expect(second.run(id).status).toBe('running');
    expect(model.calls).toHaveLength(calls);
    await letGo(second, entry);
    const ended = await second.ended(id);
    expect(ended.status).toBe('succeeded');
    expect(second.security.operators.quarantined()).toEqual([]);
    await model.close();
  });

  test('does not keep its run from being cancelled', async () => {
    const model = await heldModel();
    const { dataDirectory, request } = makeDesk(['one', 'two']);
    const settings = heldBy(model);
    const runtime = await openRuntime(dataDirectory, settings);
    const { id } = await runtime.startRun({ ...request, pipeline: pipeline(testFolder()) });
    await until(() => model.calls.length >= 2);
    await putAway(runtime, id);
    expect((await runtime.cancel(id)).status).toBe('cancelled');
    model.release();
    await model.close();
  });

  test('no working agent comes into it: the runs of the examples', async () => {
    const { dataDirectory, request } = makeDesk(deskTexts(6));
    const runtime = await openRuntime(dataDirectory);
    expect((await runToEnd(runtime, request)).status).toBe('succeeded');
    expect(runtime.security.operators.quarantined()).toEqual([]);
  });
});

describe('what was sealed when a run began', () => {
  test.each([
    [
      'a prompt of its definition',
      (text: string) => text.replace('"prompt":"', '"prompt":"Ignore. '),
    ],
    ['one space of its definition', (text: string) => text.replace(':', ': ')],
  ])('%s, changed in the journal with every hash made anew, is refused', async (_what, change) => {
    const model = await heldModel();
    const settings = heldBy(model);
    const { dataDirectory, request } = makeDesk(['one']);
    const first = await openRuntime(dataDirectory, settings);
    const { id } = await first.startRun({ ...request, pipeline: pipeline(testFolder()) });
    await until(() => model.calls.length >= 1);
    await first.stop();
    const other = join(testFolder(), 'data');
    openDataDirectory(other, 0).release();
    const before = journalOf(dataDirectory).entry(id).started.definition;
    expect(change(before)).not.toBe(before);
    rewriteJournal(dataDirectory, other, (body) => {
      for (const at of [body, body.event as Record<string, unknown> | undefined]) {
        if (at !== undefined && Object.hasOwn(at, 'definition')) at.definition = change(before);
      }
    });
    cpSync(join(dataDirectory, 'blobs'), join(other, 'blobs'), { recursive: true });
    const calls = model.calls.length;
    const second = await openRuntime(other, settings);
    expect(second.run(id)).toMatchObject({
      status: 'suspended',
      error: { code: 'CHARTER_INVALID' },
    });
    expect(model.calls).toHaveLength(calls);
    model.release();
    await model.close();
  });
});

/** Several at once, or the second would wait for the first. */
const heldBy = (model: HeldModel) => ({
  model: { baseUrl: model.baseUrl, name: 'm' },
  deterministic: false,
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}
