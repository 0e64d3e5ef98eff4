/**
 * The terminal of a person who watches: its keys as they are pressed, and its
 * changes of size. What is drawn goes through the streams of `Io`.
 */
import { isatty } from 'node:tty';

export interface Terminal {
  /**
   * Calls the listener with each key as the terminal sends it, not echoed,
   * until the returned function is called. Ctrl-C is a key then, no signal.
   */
  onKey(listener: (key: string) => void): () => void;
  /** Calls the listener after each change of size until the returned function is called. */
  onResize(listener: () => void): () => void;
  /** Calls the listener when the process ends, however, until the returned function is called. */
  onExit(listener: () => void): () => void;
}

const standardInput = 0;

export const processTerminal: Terminal = {
  onKey: (listener) => {
    if (!isatty(standardInput)) return () => undefined;
    const { stdin } = process;
    const onText = (text: string): void => {
      for (const key of text) listener(key);
    };
    stdin.setRawMode(true).setEncoding('utf8').on('data', onText).resume();
    return () => {
      stdin.off('data', onText).setRawMode(false).pause();
    };
  },
  onResize: (listener) => {
    process.stdout.on('resize', listener);
    return () => process.stdout.off('resize', listener);
  },
  onExit: (listener) => {
    process.once('exit', listener);
    return () => process.off('exit', listener);
  },
};
