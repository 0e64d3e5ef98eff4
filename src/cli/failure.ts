/**
 * The end of a command that failed: one sentence with its remedy and code on
 * standard error, the same as JSON where asked, and the exit status of the
 * catalogue. A stack only with --debug.
 */
import { CommanderError } from 'commander';
import { errorCatalogue, exitStatus, RuntimeError } from '../kernel/errors.ts';
import type { Output } from './output.ts';

/** Codes that Node.js gives when a package is absent or its binary does not load. */
const loadFailures = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED']);
const nativePackages = /node-llama-cpp|isolated-vm/;
const nativeSymptoms =
  /NODE_MODULE_VERSION|was compiled against a different|invalid ELF header|No native build was found|NoBinaryFound/i;

/**
 * Reports the error.
 * @returns the exit status
 */
export function reportFailure(error: unknown, output: Output, debug: boolean): number {
  if (error instanceof CommanderError && error.exitCode === 0) return exitStatus.ok;
  // A command that needs a word more, such as `claw sandbox`, has answered with its help.
  if (error instanceof CommanderError && error.code === 'commander.help') {
    return exitStatus.badInput;
  }
  const { code, message } = toFailure(error);
  // One line each, so that scripts may read lines.
  const sentence = message.replace(/\s*\n\s*/g, ' ');
  output.notice(`claw: ${sentence} (${code})`);
  if (!output.answered) output.answer({ error: { code, message: sentence } });
  if (debug) output.notice(traceOf(error));
  return errorCatalogue[code].exit;
}

/** The error by its catalogued name. */
export function toFailure(error: unknown): RuntimeError {
  if (error instanceof RuntimeError) {
    return error.code === 'INTERNAL' && isNativeFailure(error) ? nativeFailure(error) : error;
  }
  if (error instanceof CommanderError) {
    const sentence = error.message.replace(/^error: /, '').replace(/\.?\s*$/, '');
    return new RuntimeError('USAGE', `${sentence}; see claw --help.`, { cause: error });
  }
  if (isNativeFailure(error)) return nativeFailure(error);
  const message = error instanceof Error ? error.message : String(error);
  if ((error as NodeJS.ErrnoException | null)?.code === 'ENOSPC') {
    return new RuntimeError('DISK_FULL', 'The disk is full; free space and start again.', {
      cause: error,
    });
  }
  return new RuntimeError(
    'INTERNAL',
    `Something failed inside: ${firstLine(message)}; run again with --debug and report the trace.`,
    { cause: error },
  );
}

function isNativeFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== undefined && loadFailures.has(code)) return true;
  return nativeSymptoms.test(`${error.name} ${error.message}`);
}

function nativeFailure(error: unknown): RuntimeError {
  const message = error instanceof Error ? error.message : '';
  const name = nativePackages.exec(message)?.[0] ?? /package '([^']+)'/.exec(message)?.[1];
  const subject = name === undefined ? 'A package' : `The package ${name}`;
  return new RuntimeError(
    'NATIVE_PACKAGE_MISSING',
    `${subject} is missing or does not load on this machine; run npm ci again here.`,
    { cause: error },
  );
}

function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by: ${traceOf(error.cause)}`;
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').replace(/\.\s*$/, '');
}
