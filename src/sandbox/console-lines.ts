/**
 * What a script wrote with `console`, as its isolate packs it: one entry after
 * the other, each a letter for the level, the length of the text, a colon and
 * the text. The process may be in the hands of its script, so a wrong length
 * is no error but the end of what can be read.
 */
import { limits } from '../kernel/limits.ts';

const levels = {
  l: 'log',
  i: 'info',
  w: 'warn',
  e: 'error',
  d: 'debug',
  t: 'trace',
} as const;

/** One call of `console`. */
export interface ConsoleLine {
  readonly level: (typeof levels)[keyof typeof levels];
  readonly text: string;
}

export function consoleLines(packed: string): ConsoleLine[] {
  const lines: ConsoleLine[] = [];
  const head = /([liwedt])(\d{1,6}):/y;
  let room = limits.sandboxConsoleBytesMax;
  for (let match = head.exec(packed); match !== null; match = head.exec(packed)) {
    const length = Number(match[2]);
    const text = packed.slice(head.lastIndex, head.lastIndex + Math.min(length, room));
    lines.push({ level: levels[match[1] as keyof typeof levels], text });
    room -= text.length + 1;
    if (room <= 0 || lines.length >= limits.sandboxConsoleLinesMax) break;
    head.lastIndex += length;
  }
  return lines;
}

/** The lines as a terminal would show them. */
export function consoleText(lines: readonly ConsoleLine[]): string {
  const text = lines.map((line) => `${line.text}\n`).join('');
  return text.slice(0, limits.sandboxConsoleBytesMax);
}
