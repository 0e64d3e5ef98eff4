/**
 * The tasks of the pool for stateless CPU work. A task is added as one line of
 * `PoolTasks` and one case in `entry.ts`.
 */
import type { BackupReport } from '../../journal/backup.ts';
import type { ErrorMessage } from '../../kernel/errors.ts';
import type { Sha256 } from '../../kernel/hash.ts';
import type { RunId } from '../../kernel/ids.ts';
import type { CompactionLimit, PlannedCompaction } from '../compaction-plan.ts';
import type { CompactionProof, ProofRequest } from '../compaction-proof.ts';
import type { InputDocument } from '../document-reader.ts';
import type { BatchRequest, ExportBatch } from '../export-batch.ts';
import type { ForkInspection } from '../fork-inspection.ts';
import type {
  ForkPlace,
  RecoveredRun,
  RecoverRequest,
  ReplayRequest,
  ReplayResult,
} from '../replay-run.ts';
import type { SnapshotAudit, SnapshotRequest, TakenSnapshot } from '../snapshot-run.ts';
import type { CheckpointRequest, TakenCheckpoint } from '../take-checkpoint.ts';
import type { ProofOfGrowth } from '../witness-round.ts';

/** Request and result of each task, by its name. Both cross threads by structured clone. */
export interface PoolTasks {
  'read-documents': {
    readonly request: {
      /** Absolute path of the folder, without symbolic links. */
      readonly folder: string;
      /** File names in the folder. */
      readonly names: readonly string[];
      /** Longest text of a document in UTF-16 units; longer ones are split. Null: never. */
      readonly splitCharactersMax: number | null;
    };
    readonly result: readonly InputDocument[];
  };
  'replay-range': { readonly request: ReplayRequest; readonly result: ReplayResult };
  'inspect-fork': { readonly request: ForkPlace; readonly result: ForkInspection };
  'plan-compaction': {
    readonly request: {
      readonly dataDirectory: string;
      readonly limit: CompactionLimit;
      /** Runs that may not go, and why. */
      readonly refusals: ReadonlyMap<RunId, string>;
    };
    readonly result: PlannedCompaction;
  };
  'prove-compaction': { readonly request: ProofRequest; readonly result: CompactionProof };
  'remove-dropped': {
    readonly request: {
      readonly dataDirectory: string;
      /** All texts that are named; null where a writer may be about to name others. */
      readonly needed: ReadonlySet<Sha256> | null;
    };
    /** Texts that were removed. */
    readonly result: number;
  };
  'back-up': {
    readonly request: {
      readonly dataDirectory: string;
      readonly folder: string;
      /** Milliseconds since the epoch. */
      readonly nowMs: number;
    };
    readonly result: BackupReport;
  };
  'snapshot-run': { readonly request: SnapshotRequest; readonly result: TakenSnapshot };
  'audit-snapshot': {
    readonly request: Omit<SnapshotRequest, 'whole'>;
    readonly result: SnapshotAudit | null;
  };
  'take-checkpoint': { readonly request: CheckpointRequest; readonly result: TakenCheckpoint };
  /** The text of a request to a witness. */
  'witness-request': { readonly request: ProofOfGrowth; readonly result: string };
  'read-export-batch': { readonly request: BatchRequest; readonly result: ExportBatch };
  'recover-runs': { readonly request: RecoverRequest; readonly result: readonly RecoveredRun[] };
}

export type PoolTaskName = keyof PoolTasks;

/** A task on its way to a thread. */
export type PoolTask = {
  [Name in PoolTaskName]: { readonly type: Name; readonly request: PoolTasks[Name]['request'] };
}[PoolTaskName];

/** What comes back. Errors travel by code. */
export type PoolReply =
  | { readonly type: 'result'; readonly result: PoolTasks[PoolTaskName]['result'] }
  | { readonly type: 'error'; readonly error: ErrorMessage };
