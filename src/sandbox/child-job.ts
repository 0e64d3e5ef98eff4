/**
 * The one job of a sandbox process: a script in an isolate, its calls on
 * their way out, their answers on their way in.
 *
 * Invariants
 *   J1. The callback that leads out is given to the guest code, never to the
 *       script, and takes nothing but numbers and texts.
 *   J2. A call that the guest code cannot have made ends the process: then the
 *       script has broken out of it.
 */
import type { Reference } from 'isolated-vm';
import { beginScript, type Ending } from './begin-script.ts';
import { type IsolatedVm, type Prepared, prepare } from './prepared-isolate.ts';
import type { CallAnswer, SandboxAnswer, SandboxJob } from './protocol.ts';

/** The process as its job sees it. */
interface ChildProcess {
  readonly ivm: IsolatedVm;
  /** The isolate that waits, with the usual memory. */
  readonly ahead: Prepared;
  answer(message: SandboxAnswer): void;
  residentMb(): number;
  endNow(): void;
}

/** How long after the script's own time limit a process still waits for its parent to kill it. */
const selfKillGraceMs = 2_000;
export class ChildJob {
  readonly #job: SandboxJob;
  readonly #process: ChildProcess;
  /** Processor time of the isolate before it had this script. */
  readonly #spentBefore: bigint;
  #prepared: Prepared;
  #deliver: Reference | null = null;

  /** Begins at once. */
  constructor(job: SandboxJob, process: ChildProcess) {
    this.#job = job;
    this.#process = process;
    this.#prepared = process.ahead;
    this.#spentBefore = process.ahead.isolate.cpuTime;
    // Even where nobody is left to kill it, an endless loop ends.
    setTimeout(process.endNow, job.timeoutMs + selfKillGraceMs);
    void this.#perform();
  }

  /** Hands the answer of one call to the script, in the order in which they come. */
  deliver({ id, outcome, json, kind, data }: CallAnswer): void {
    const text = Buffer.from(data).toString(kind === 'text' ? 'utf8' : 'latin1');
    this.#deliver?.applyIgnored(undefined, [id, outcome, json, kind, text]);
  }

  async #perform(): Promise<void> {
    const { ivm, ahead } = this.#process;
    try {
      if (ahead.memoryMb !== this.#job.memoryMb) {
        this.#prepared = await prepare(ivm, this.#job.memoryMb);
      }
      this.#prepared.onCatastrophe = () =>
        this.#finish({ kind: 'memory', text: 'out of memory', console: '' });
      const { isolate, boot } = this.#prepared;
      const running = await beginScript(
        { ivm, isolate, boot },
        this.#job,
        (parts) => this.#call(parts), // (J1)
      );
      this.#deliver = running.deliver;
      this.#finish(await running.ending);
    } catch (error) {
      const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      this.#finish({
        kind: this.#prepared.isolate.isDisposed ? 'memory' : 'error',
        text: text.slice(0, 2_000),
        console: '',
      });
    }
  }

  #call([id, name, args, kind, data]: readonly unknown[]): void {
    const isCall =
      typeof id === 'number' &&
      typeof name === 'string' &&
      typeof args === 'string' &&
      (kind === 'none' || kind === 'text' || kind === 'bytes') &&
      typeof data === 'string';
    const bytes = isCall ? Buffer.from(data, kind === 'bytes' ? 'latin1' : 'utf8') : null;
    if (!isCall || bytes === null || bytes.length > this.#job.limits.messageBytes) {
      this.#process.endNow(); // (J2)
      return;
    }
    this.#process.answer({ type: 'call', id, name, args, data: bytes });
  }

  #finish(ending: Ending): void {
    const { isolate } = this.#prepared;
    const before = this.#prepared === this.#process.ahead ? this.#spentBefore : 0n;
    const cpuMs = isolate.isDisposed ? 0 : Number(isolate.cpuTime - before) / 1e6;
    this.#process.answer({
      type: 'done',
      ...ending,
      cpuMs,
      residentMb: this.#process.residentMb(),
    });
  }
}
