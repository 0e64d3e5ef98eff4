/**
 * The runs of a data directory for commands that only read. Works beside a
 * server that is writing, needs no lock and changes nothing.
 */
import { join } from 'node:path';
import type { StepperKind } from '../actors/stepper.ts';
import { checkDataDirectory } from '../journal/data-directory.ts';
import { workspacesFolder } from '../journal/data-folders.ts';
import { effectLedger } from './effect-ledger.ts';
import { readEventsPage } from './events-page.ts';
import { JournalFollower } from './journal-follower.ts';
import { type PastGeneration, pastGenerations } from './past-generations.ts';
import { CpuPool } from './pool/client.ts';
import { programDigest } from './program-digest.ts';
import { type ReplayReport, replayRun } from './replay.ts';
import { ReplaySession } from './replay-session.ts';
import { runContexts, runTranscript } from './run-contexts.ts';
import { diffRuns, type RunDiff } from './run-diff.ts';
import { runInterventions } from './run-interventions.ts';
import { runViews, viewOfRun } from './run-views.ts';
import { runWindow } from './run-window.ts';
import { auditSnapshot, type SnapshotAudit } from './snapshot-run.ts';
import type {
  ContextView,
  EffectView,
  EventView,
  InterventionView,
  RunView,
  TranscriptView,
  WindowRequest,
  WindowView,
} from './views.ts';

export class ReadOnlyRuntime {
  readonly #dataDirectory: string;
  readonly #follower: JournalFollower;

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
    this.#follower = new JournalFollower(dataDirectory);
    this.#follower.advance();
  }

  runs(): readonly RunView[] {
    return runViews(this.#follower, this.#workspace);
  }

  /** @throws RuntimeError RUN_NOT_FOUND */
  run(id: string): RunView {
    return viewOfRun(this.#follower, id, this.#workspace);
  }

  /** A page as `readEventsPage` says. @throws RuntimeError RUN_NOT_FOUND */
  events(
    id: string,
    range: { readonly from: number; readonly limit: number },
  ): readonly EventView[] {
    return readEventsPage(this.#follower, this.#follower.entry(id), range);
  }

  /** @throws RuntimeError RUN_NOT_FOUND */
  effects(id: string): readonly EffectView[] {
    return effectLedger(this.#follower, this.#follower.entry(id));
  }

  /** @throws RuntimeError RUN_NOT_FOUND, BLOB_MISSING */
  interventions(id: string): readonly InterventionView[] {
    return runInterventions(this.#follower, this.#follower.entry(id));
  }

  /** @throws RuntimeError RUN_NOT_FOUND, BLOB_MISSING */
  contexts(id: string): readonly ContextView[] {
    return runContexts(this.#follower, this.#follower.entry(id));
  }

  /** @throws RuntimeError RUN_NOT_FOUND, CONTEXT_NOT_FOUND, BLOB_MISSING */
  transcript(id: string, hash: string): TranscriptView {
    return runTranscript(this.#follower, this.#follower.entry(id), hash);
  }

  /**
   * What its agents were answered, with all tokens, and whether checks found it right.
   * @throws RuntimeError RUN_NOT_FOUND, BLOB_MISSING
   */
  generations(id: string): readonly PastGeneration[] {
    return pastGenerations(this.#follower, this.#follower.entry(id));
  }

  /** @throws RuntimeError RUN_NOT_FOUND, CONTEXT_NOT_FOUND, BLOB_MISSING */
  window(id: string, request: WindowRequest): WindowView {
    return runWindow(this.#follower, this.#follower.entry(id), request);
  }

  /** @throws RuntimeError RUN_NOT_FOUND, JOURNAL_CORRUPT */
  async replay(id: string, stepper?: StepperKind): Promise<ReplayReport> {
    const entry = this.#follower.entry(id);
    const pool = new CpuPool();
    try {
      return await replayRun(this.#dataDirectory, entry, pool, stepper);
    } finally {
      await pool.close();
    }
  }

  /** @throws RuntimeError RUN_NOT_FOUND, RUN_DAMAGED, JOURNAL_CORRUPT, BLOB_MISSING */
  diff(left: string, right: string): RunDiff {
    return diffRuns(this.#follower, this.#follower.entry(left), this.#follower.entry(right));
  }

  /**
   * A run to go through step by step.
   * @param actor Only this actor.
   * @throws RuntimeError RUN_NOT_FOUND, RUN_DAMAGED, ACTOR_NOT_FOUND
   */
  session(id: string, actor?: string): ReplaySession {
    return new ReplaySession(this.#follower, this.#follower.entry(id), actor);
  }

  /**
   * Compares the last snapshot of each open run with a full replay of it. Those of
   * another version of the program are not used by anybody, and left out.
   * @throws RuntimeError JOURNAL_CORRUPT, BLOB_MISSING
   */
  auditSnapshots(): readonly SnapshotAudit[] {
    const program = programDigest();
    return this.#follower.index
      .open()
      .map((entry) => auditSnapshot(this.#follower, entry, program))
      .filter((audit) => audit !== null);
  }

  close(): void {
    this.#follower.close();
  }

  readonly #workspace = (id: string): string => join(workspacesFolder(this.#dataDirectory), id);
}

/** @throws RuntimeError DATA_DIRECTORY_UNUSABLE, DATA_VERSION_NEWER, JOURNAL_CORRUPT */
export function openReadOnly(dataDirectory: string): ReadOnlyRuntime {
  checkDataDirectory(dataDirectory);
  return new ReadOnlyRuntime(dataDirectory);
}
