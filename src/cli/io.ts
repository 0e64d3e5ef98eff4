/** Where `claw` reads from and writes to, so that a test can stand in for the terminal. */
import { createInterface } from 'node:readline';
import { processTerminal, type Terminal } from './terminal.ts';

export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface Io {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** For commands that are watched; they make do without. */
  readonly terminal?: Terminal;
  /** Whether a person types on standard input. */
  readonly stdinIsTerminal?: boolean;
  /** Lines of standard input. */
  lines(): AsyncIterable<string>;
  /** All of standard input. */
  readonly input?: () => AsyncIterable<Uint8Array>;
  /** Calls the listener for SIGINT and SIGTERM until the returned function is called. */
  onSignal(listener: (signal: NodeJS.Signals) => void): () => void;
}

export const processIo: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  cwd: process.cwd(),
  terminal: processTerminal,
  stdinIsTerminal: process.stdin.isTTY === true,
  lines: () => createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY }),
  input: () => process.stdin,
  onSignal: (listener) => {
    process.on('SIGINT', listener);
    process.on('SIGTERM', listener);
    return () => {
      process.off('SIGINT', listener);
      process.off('SIGTERM', listener);
    };
  },
};
