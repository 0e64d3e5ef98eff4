/**
 * The audit of a running system: takes checkpoints while records come, asks the
 * witness to cosign them, and exports what they say. The work is done on a thread
 * of its own, started when it is first needed; nothing waits for it.
 *
 * Invariants
 *   S1. One checkpoint at a time: leaves and notes have one writer.
 *   S2. Only what is durable is counted.
 *   S3. A problem is said once, until it is another or over. It never stops the runtime,
 *       but for a start whose witness is required.
 *   S4. After `stop` nobody writes into the data directory any more.
 *   S5. The witness is asked once by each process, also when its cosignature is there:
 *       a copy of the data directory that was put back has it too.
 */
import { type NoteVerifier, parseNoteVerifier } from '../identity/note-key.ts';
import type { FrontierState } from '../journal/merkle-tree.ts';
import type { JournalPosition } from '../journal/record.ts';
import { systemClock } from '../kernel/clock.ts';
import { RuntimeError, toErrorMessage } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type AuditConfig, auditDefaults, type WitnessConfig } from './audit-config.ts';
import { AuditExports } from './audit-exports.ts';
import type { AuditPort, CheckpointReport, WitnessAnswer } from './audit-port.ts';
import { CpuPool } from './pool/client.ts';
import { type TakenCheckpoint, takeCheckpoint } from './take-checkpoint.ts';
import { askWitness, type WitnessAddress } from './witness-client.ts';
import { cosignedSize, isCosigned, keepCosignature } from './witness-round.ts';

export interface AuditServiceParts {
  readonly config: { readonly dataDirectory: string; readonly audit?: AuditConfig };
  /** What is durable, and where it ends (S2). */
  readonly follower: {
    readonly position: JournalPosition;
    readonly end: { readonly sequence: number };
  };
  readonly onNotice: (text: string) => void;
}

export class AuditService implements AuditPort {
  readonly #dataDirectory: string;
  readonly #config: AuditConfig;
  readonly #follower: AuditServiceParts['follower'];
  readonly #onNotice: (text: string) => void;
  readonly #witness: NoteVerifier | null;
  readonly #exports: AuditExports;
  #pool: CpuPool | null = null;
  #timer: NodeJS.Timeout | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #frontier: FrontierState | null = null;
  /** Of the tree that the witness saw last. */
  #witnessed: FrontierState | null = null;
  #witnessedSize: number | null = null;
  /** Whether the witness has answered this process (S5). */
  #confirmed = false;
  /** Of the newest checkpoint. */
  #size = 0;
  #problem: string | null = null;
  #stopped = false;

  constructor({ config, follower, onNotice }: AuditServiceParts) {
    this.#dataDirectory = config.dataDirectory;
    this.#config = config.audit ?? auditDefaults;
    this.#follower = follower;
    this.#onNotice = onNotice;
    const { witness } = this.#config;
    this.#witness = witness === undefined ? null : parseNoteVerifier(witness.publicKey);
    const { dataDirectory } = config;
    const targets = this.#config.export;
    this.#exports = new AuditExports({ dataDirectory, targets, follower, onNotice });
  }

  /**
   * Begins. Where a witness is required, its cosignature comes first.
   * @throws RuntimeError WITNESS_CONFLICT, WITNESS_REFUSED, WITNESS_UNREACHABLE and others where the
   *   witness is required
   */
  async open(): Promise<void> {
    if (this.#config.witness?.require === true) {
      const { witness } = await this.checkpoint();
      if (witness?.problem) {
        const { code, message } = witness.problem;
        throw new RuntimeError(
          code as RuntimeError['code'],
          `${message} The configuration requires its cosignature (audit.witness.require).`,
        );
      }
    }
    const { checkpointSeconds } = this.#config;
    if (checkpointSeconds > 0) {
      this.#timer = setInterval(() => this.#tick(), checkpointSeconds * 1_000);
      this.#timer.unref();
    }
    this.#exports.start();
  }

  checkpoint(): Promise<CheckpointReport> {
    if (this.#stopped) {
      return Promise.reject(new RuntimeError('JOURNAL_FAILED', 'The runtime is stopping.'));
    }
    return this.#queued(async () => {
      const taken = await this.#take(false);
      const witness = await this.#askFor(taken.size, taken.note);
      return { ...reportOf(taken), note: witness.note, witness: witness.answer };
    });
  }

  /** Every record that is durable now has its leaf once this resolves, for a beginning that is about to go. */
  async count(): Promise<void> {
    await this.#queued(() => this.#take(false));
  }

  /** The last checkpoint, once nobody appends any more (S4). @param isSound Whether the journal is. */
  async stop(isSound: boolean): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#exports.stop();
    await this.#last.catch(() => undefined);
    if (isSound) await this.#take(true).catch((error: unknown) => this.#tell(error));
    await this.#pool?.close();
  }

  /** (S1) */
  #queued<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.catch(() => undefined).then(work);
    this.#last = result;
    return result;
  }

  #tick(): void {
    const isSeen =
      this.#witness === null || (this.#confirmed && this.#witnessedSize === this.#size);
    if (this.#follower.end.sequence === this.#size && isSeen) return;
    this.checkpoint().then(
      ({ witness }) => this.#tell(witness?.problem ?? null),
      (error: unknown) => this.#tell(error),
    );
  }

  /** @param isLast Whether the journal is closed, and is read to its last seal. */
  async #take(isLast: boolean): Promise<TakenCheckpoint> {
    const request = {
      dataDirectory: this.#dataDirectory,
      until: isLast ? null : { ...this.#follower.position },
      nowMs: systemClock.nowMs(),
      frontier: this.#frontier,
    };
    // At the end nobody waits for this thread, and starting another costs more than little work.
    const isInline = isLast && this.#follower.end.sequence <= limits.auditInlineRecordsMax;
    const taken = isInline
      ? takeCheckpoint(request)
      : await this.#threads().run('take-checkpoint', request);
    this.#frontier = taken.frontier;
    this.#size = taken.size;
    return taken;
  }

  #threads(): CpuPool {
    this.#pool ??= new CpuPool({ threads: 1, idleMs: limits.snapshotIdleMsMax });
    return this.#pool;
  }

  async #askFor(
    size: number,
    note: string | null,
  ): Promise<{ readonly note: string | null; readonly answer: WitnessAnswer | null }> {
    const { witness: config } = this.#config;
    const witness = this.#witness;
    if (config === undefined || witness === null || note === null) return { note, answer: null };
    try {
      // What an earlier process was told may be what somebody went back to, so it is asked once more. (S5)
      if (this.#confirmed && isCosigned(note, witness)) {
        return { note, answer: { cosigned: true, problem: null } };
      }
      this.#witnessedSize ??= cosignedSize(this.#dataDirectory, witness);
      const cosigned = await this.#ask(size, { config, witness, old: this.#witnessedSize }, true);
      this.#confirmed = true;
      this.#witnessedSize = size;
      this.#witnessed = this.#frontier;
      return { note: cosigned, answer: { cosigned: true, problem: null } };
    } catch (error) {
      const { code, message } = toErrorMessage(error);
      return { note, answer: { cosigned: false, problem: { code, message } } };
    }
  }

  async #ask(
    size: number,
    { config, witness, old }: { config: WitnessConfig; witness: NoteVerifier; old: number },
    mayRepeat: boolean,
  ): Promise<string> {
    const dataDirectory = this.#dataDirectory;
    const frontier = this.#witnessed;
    const proof = { dataDirectory, old, size, frontier };
    const body = await this.#threads().run('witness-request', proof);
    try {
      const signatures = await askWitness(addressOf(config), body);
      return keepCosignature(dataDirectory, size, signatures, witness);
    } catch (error) {
      const seen = conflictSize(error);
      if (seen !== null && seen > size) throw wentBack(seen, size);
      if (seen === null || seen === old || !mayRepeat) throw error;
      // Its answer to an earlier one was lost, or it was restored itself.
      return this.#ask(size, { config, witness, old: seen }, false);
    }
  }

  /** (S3) */
  #tell(error: unknown): void {
    const problem = error === null ? null : toErrorMessage(error);
    const text = problem?.message ?? null;
    if (text === this.#problem) return;
    if (text !== null) this.#onNotice(`The audit: ${text}`);
    else this.#onNotice('The audit: checkpoints are taken and cosigned again.');
    this.#problem = text;
  }
}

function reportOf({ size, root, taken, note }: TakenCheckpoint) {
  return { size, root, taken, note };
}

function addressOf({ url, socket }: WitnessConfig): WitnessAddress {
  return url === undefined ? { socket: socket ?? '' } : { url };
}

function conflictSize(error: unknown): number | null {
  if (!(error instanceof RuntimeError) || error.code !== 'WITNESS_CONFLICT') return null;
  const { size } = error.details;
  return typeof size === 'number' ? size : null;
}

function wentBack(seen: number, size: number): RuntimeError {
  return new RuntimeError(
    'WITNESS_CONFLICT',
    `The witness has cosigned ${seen} records of this log, which has ${size}: the data directory was rolled back, as by a restored copy; claw audit verify --witness tells more.`,
    { details: { size: seen } },
  );
}
