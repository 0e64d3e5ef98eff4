/**
 * Seals what runs begin with, and tells the threads what each run may be before
 * anything of it reaches them.
 *
 * Invariants
 *   C1. No actor of a run goes on unless the authority sealed the definition
 *       that the journal has for it.
 *   C2. Only what began before there was an authority is sealed afterwards.
 */
import { AuthorityVerifier } from '../identity/authority.ts';
import { type Charter, charterHolds, charterMatter } from '../identity/charter.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { RunStartedBody } from './event-record.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { RuntimeThreads } from './runtime-threads.ts';
import { hostThread, identityThread, topics } from './topics.ts';

interface CharterParts {
  readonly threads: Pick<RuntimeThreads, 'endpoint' | 'hosts' | 'authority'>;
  readonly follower: JournalFollower;
}

type CharteredRun = Pick<RunEntry, 'id' | 'createdAt' | 'started'>;

export class RunCharters {
  readonly #parts: CharterParts;
  readonly #verifier: AuthorityVerifier;

  constructor(parts: CharterParts) {
    this.#parts = parts;
    this.#verifier = new AuthorityVerifier(parts.threads.authority);
  }

  /** The body with its charter, for a run that has just come in at the door. */
  async seal(run: RunId, body: RunStartedBody): Promise<RunStartedBody> {
    return { ...body, charter: await this.#sealed(run, body) };
  }

  /**
   * Tells every thread what the run may be.
   * @throws RuntimeError CHARTER_INVALID when that is not what was sealed
   */
  async announce({ id, createdAt, started }: CharteredRun): Promise<void> {
    const { threads } = this.#parts;
    const charter = started.charter ?? (await this.#adopted(id, createdAt, started));
    const { definitions, documents } = this.#matter(id, started);
    const isSame =
      charter.documents === documents &&
      charter.definitions.length === definitions.length &&
      charter.definitions.every((hash, index) => hash === definitions[index]);
    if (!isSame || !charterHolds(this.#verifier, id, charter)) throw invalid(id); // (C1)
    const message = { run: id, charter, definition: started.definition };
    threads.endpoint.send(identityThread, topics.charter, message);
    for (let host = 0; host < threads.hosts.count; host += 1) {
      threads.endpoint.send(hostThread(host), topics.charter, message);
    }
  }

  #adopted(run: RunId, createdAt: number, body: RunStartedBody): Promise<Charter> {
    const { sinceMs } = this.#parts.follower.security.folds.authority;
    if (sinceMs !== null && createdAt >= sinceMs) throw invalid(run); // (C2)
    return this.#sealed(run, body);
  }

  #sealed(run: RunId, body: RunStartedBody): Promise<Charter> {
    const deadlineMs = limits.requestDeadlineMsMax;
    return this.#parts.threads.endpoint.request(
      identityThread,
      topics.sealCharter,
      this.#matter(run, body),
      { deadlineMs },
    );
  }

  #matter(run: RunId, body: RunStartedBody) {
    return charterMatter(run, [...this.#definitions(body)], body.documents);
  }

  /** Its own definition, and those that actors of the runs before it have. */
  *#definitions({ definition, parent }: RunStartedBody): Generator<string> {
    yield definition;
    const from = parent === undefined ? undefined : this.#parts.follower.index.get(parent.run);
    if (from !== undefined) yield* this.#definitions(from.started);
  }
}

function invalid(run: RunId): RuntimeError {
  return new RuntimeError(
    'CHARTER_INVALID',
    `The definition or the documents of the run ${run} are not those that were sealed when it began; claw audit verify looks for what was changed.`,
  );
}
