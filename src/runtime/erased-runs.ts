/** Runs whose keys are gone: what is left of them. */
import type { CompactedRun } from '../journal/compaction.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { noCounts } from './run-counts.ts';
import type { RunView } from './views.ts';

/** What is left of a run whose keys are gone. */
export interface ErasedRun {
  readonly id: RunId;
  /** Milliseconds since the epoch, as the next ones. */
  readonly createdAt: number;
  readonly endedAt: number | null;
  readonly events: number;
  /** null: the journal does not say that it was erased, so its keys are lost. */
  readonly erasedAt: number | null;
}

/** A run of which nothing has been read; its id says when it began (RFC 9562, version 7). */
export function lostRun(id: RunId): ErasedRun {
  const createdAt = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
  return { id, createdAt, endedAt: null, events: 0, erasedAt: null };
}

/** The run as erased, where its last compaction says so. */
export function erasedBefore({ id, events, view }: CompactedRun): ErasedRun | null {
  if (!Object.hasOwn(view, 'erasedAt')) return null;
  return { ...(view as unknown as ErasedRun), id, events }; // `compactedErasedRun` wrote it.
}

export function erasedView(run: ErasedRun): RunView {
  const { id, createdAt, endedAt, events } = run;
  const { usage, stepsDone, handedToHuman } = noCounts;
  const { code, message } = runErased(run);
  return {
    id,
    pipeline: '',
    parent: null,
    status: 'erased',
    createdAt,
    endedAt,
    events,
    stateHash: '',
    resultHash: null,
    outputs: null,
    usage,
    progress: { stepsDone, stepsTotal: 0, handedToHuman },
    error: { code, message },
  };
}

/** Why nothing of the run can be read. */
export function runErased({ id, erasedAt }: ErasedRun): RuntimeError {
  return erasedAt === null
    ? new RuntimeError(
        'RUN_KEYS_MISSING',
        `The keys of the run ${id} are missing or damaged, so nothing of it can be read; restore keys/${id} from a backup, or give it up: claw runs rm ${id} --yes.`,
      )
    : new RuntimeError(
        'RUN_ERASED',
        `The run ${id} was erased at ${new Date(erasedAt).toISOString()}; its events cannot be read any more.`,
      );
}
