/**
 * What a command says, and where.
 *
 * Invariants
 *   O1. With --json, standard output carries exactly one JSON object; all else
 *       goes to standard error.
 *   O2. No colour codes at all, and no cursor movement unless standard error
 *       is a terminal.
 */
import { assert } from '../kernel/assert.ts';
import type { Stream } from './io.ts';

export class Output {
  readonly json: boolean;
  readonly #stdout: Stream;
  readonly #stderr: Stream;
  #answered = false;

  constructor(streams: { stdout: Stream; stderr: Stream }, options: { json: boolean }) {
    this.#stdout = streams.stdout;
    this.#stderr = streams.stderr;
    this.json = options.json;
  }

  /** The answer for people; nothing with --json (O1). */
  print(text: string): void {
    if (!this.json) this.#stdout.write(`${text}\n`);
  }

  /** A part of the answer, without a line break; nothing with --json (O1). */
  write(text: string): void {
    if (!this.json) this.#stdout.write(text);
  }

  /** The answer for programs; nothing without --json. Once (O1). */
  answer(value: unknown): void {
    if (!this.json) return;
    assert(!this.#answered, 'a command answers once');
    this.#answered = true;
    this.#stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** Whether the one JSON object is out. */
  get answered(): boolean {
    return this.#answered;
  }

  /** A remark beside the answer, on standard error. */
  notice(text: string): void {
    this.#stderr.write(`${text}\n`);
  }

  get stderr(): Stream {
    return this.#stderr;
  }

  /** Standard output is a person's screen. */
  get interactive(): boolean {
    return !this.json && this.#stdout.isTTY === true;
  }
}
