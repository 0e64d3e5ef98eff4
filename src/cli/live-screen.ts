/**
 * A screen of text that is drawn again and again, beside what the terminal
 * showed before.
 *
 * Invariants
 *   L1. Whoever opened it gets the terminal back as it was: `close` does that,
 *       and so does the end of the process.
 *   L2. No more is drawn than the terminal shows, and it never wraps: the last
 *       column stays empty, because terminals differ in what follows it.
 */
import type { Stream } from './io.ts';
import type { Terminal } from './terminal.ts';

const enter = '\u001b[?1049h\u001b[?25l';
const leave = '\u001b[?25h\u001b[?1049l';
const home = '\u001b[H';
const clearRestOfLine = '\u001b[K';
const clearBelow = '\u001b[J';

/** Of terminals that tell no size, or a size of 0. */
const columnsDefault = 80;
const rowsDefault = 24;

export class LiveScreen {
  readonly #stream: Stream;
  readonly #forget: () => void;

  constructor(stream: Stream, terminal: Terminal) {
    this.#stream = stream;
    this.#forget = terminal.onExit(() => this.#stream.write(leave)); // (L1)
    stream.write(enter);
  }

  /** Characters that a line may have (L2). */
  get width(): number {
    return (this.#stream.columns || columnsDefault) - 1;
  }

  /** Shows as many of the lines as there is room for, and below them the last one. */
  draw(lines: readonly string[], last: string): void {
    const room = (this.#stream.rows || rowsDefault) - 1;
    const hidden = Math.max(0, lines.length - room);
    const note = hidden === 0 ? '' : `lines for a taller terminal: ${hidden}   `;
    const text = [...lines.slice(0, room), `${note}${last}`].map(
      (line) => `${line.slice(0, this.width)}${clearRestOfLine}`, // (L2)
    );
    this.#stream.write(`${home}${text.join('\r\n')}${clearBelow}`);
  }

  /** Once. */
  close(): void {
    this.#forget();
    this.#stream.write(leave); // (L1)
  }
}
