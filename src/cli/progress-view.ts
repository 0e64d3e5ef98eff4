/**
 * Progress on standard error: on a terminal one live bar for each step, and
 * elsewhere a plain line now and then.
 */
import { type Clock, systemClock } from '../kernel/clock.ts';
import type { EventView } from '../runtime/views.ts';
import type { Stream } from './io.ts';
import {
  foldRunProgress,
  newRunProgress,
  type RunProgress,
  type StepProgress,
} from './run-progress.ts';

const barCharacters = 24;
const redrawMsMin = 80;
/** Plain lines for a whole run, about. */
const plainLines = 20;

export class ProgressView {
  readonly #stream: Stream;
  readonly #clock: Clock;
  readonly #progress: RunProgress = newRunProgress();
  #drawnLines = 0;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #plainDone = 0;

  constructor(stream: Stream, clock: Clock = systemClock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  onEvent(event: EventView): void {
    foldRunProgress(this.#progress, event);
    if (this.#stream.isTTY === true) {
      const now = this.#clock.monotonicMs();
      if (now - this.#drawnAtMs < redrawMsMin) return;
      this.#drawnAtMs = now;
      this.#draw();
    } else {
      this.#printNowAndThen();
    }
  }

  /** Leaves the last state on the screen. */
  finish(): void {
    if (this.#stream.isTTY === true) this.#draw();
    else this.#printPlain();
  }

  #draw(): void {
    const up = this.#drawnLines === 0 ? '' : `\u001b[${this.#drawnLines}A`;
    const width = Math.max(...this.#progress.steps.map(({ step }) => step.length), 0);
    const lines = this.#progress.steps.map((step) => bar(step, width));
    lines.push(`${this.#progress.events} events, ${this.#progress.retries} retries`);
    // Some terminals tell a width of 0.
    const columns = this.#stream.columns || 80;
    this.#stream.write(
      `${up}${lines.map((line) => `\r\u001b[2K${line.slice(0, columns - 1)}\n`).join('')}`,
    );
    this.#drawnLines = lines.length;
  }

  #printNowAndThen(): void {
    const { done, total } = totals(this.#progress);
    if (done === this.#plainDone) return;
    if (done - this.#plainDone < total / plainLines) return;
    this.#printPlain();
  }

  #printPlain(): void {
    const { done, total, doubtful } = totals(this.#progress);
    // The end says nothing that the last line has not said.
    if (done === this.#plainDone) return;
    this.#plainDone = done;
    const { events, retries } = this.#progress;
    this.#stream.write(
      `${done}/${total} steps, ${events} events, ${retries} retries, ${doubtful} results in doubt\n`,
    );
  }
}

function totals({ steps }: RunProgress): { done: number; total: number; doubtful: number } {
  const sum = (pick: (step: StepProgress) => number): number =>
    steps.reduce((total, step) => total + pick(step), 0);
  return {
    done: sum(({ done }) => done),
    total: sum(({ total }) => total),
    doubtful: sum(({ doubtful }) => doubtful),
  };
}

function bar({ step, done, total, doubtful }: StepProgress, width: number): string {
  const filled = total === 0 ? barCharacters : Math.floor((barCharacters * done) / total);
  const picture = `${'█'.repeat(filled)}${'░'.repeat(barCharacters - filled)}`;
  const doubt = doubtful === 0 ? '' : `  ${doubtful} in doubt`;
  return `${step.padEnd(width)} ${picture} ${String(done).padStart(3)}/${total}${doubt}`;
}
