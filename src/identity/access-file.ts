/**
 * DATA/access.json: read by whoever serves the API, changed by `claw access`
 * beside it. A running server notices a change at its next request.
 *
 * Invariants
 *   A1. The file is its owner's alone. One that others may write is not
 *       trusted, because whoever writes it has every right.
 *   A2. It appears with its whole content; two who change it take turns.
 *   A3. A file that cannot be trusted or read opens for nobody: it is an error,
 *       never an empty list, which would be taken for "no tokens yet".
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorNumber, nodeFilePort } from '../journal/file-port.ts';
import { replaceFile } from '../journal/whole-file.ts';
import { writeFailure } from '../journal/write-failure.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import {
  type AccessList,
  accessListSchema,
  emptyAccessList,
  isExpired,
  judgeToken,
  type TokenVerdict,
} from './access-list.ts';

const fileName = 'access.json';
/** Begins like the lock of the data directory, so a backup leaves it out as it does that one. */
const lockName = 'lock.access';
const lockPollMs = 20;
const writableByOthers = 0o022;

/** Judges tokens by the file as it is at that moment. */
export class AccessFile {
  readonly #path: string;
  #seen = '';
  #list: AccessList = emptyAccessList;

  constructor(dataDirectory: string) {
    this.#path = join(dataDirectory, fileName);
  }

  /**
   * @param nowMs Milliseconds since the epoch.
   * @throws RuntimeError ACCESS_FILE_UNUSABLE (A3)
   */
  judge(token: string, nowMs: number): TokenVerdict {
    return judgeToken(this.#current(), token, nowMs);
  }

  /**
   * Whether any token opens the API now.
   * @throws RuntimeError ACCESS_FILE_UNUSABLE
   */
  opensForAnybody(nowMs: number): boolean {
    return this.#current().tokens.some((entry) => !isExpired(entry, nowMs));
  }

  /** A replaced file has another number, so one look at its status tells of every change. */
  #current(): AccessList {
    const status = statSync(this.#path, { throwIfNoEntry: false });
    const seen = status === undefined ? 'absent' : fingerprint(status);
    if (seen === this.#seen) return this.#list;
    this.#list = readAccessFile(this.#path);
    this.#seen = seen;
    return this.#list;
  }
}

function fingerprint({ dev, ino, size, mtimeMs, ctimeMs, mode, uid }: Stats): string {
  return [dev, ino, size, mtimeMs, ctimeMs, mode, uid].join(' ');
}

/** @throws RuntimeError ACCESS_FILE_UNUSABLE */
export function readAccess(dataDirectory: string): AccessList {
  return readAccessFile(join(dataDirectory, fileName));
}

/**
 * Replaces the list by what `change` makes of it, durably (A2).
 * @throws RuntimeError ACCESS_FILE_UNUSABLE, ACCESS_FILE_BUSY, DISK_FULL,
 *   JOURNAL_FAILED, and what `change` throws; then the file is as before.
 */
export async function changeAccess(
  dataDirectory: string,
  change: (list: AccessList) => AccessList,
): Promise<void> {
  const release = await takeTurn(join(dataDirectory, lockName));
  try {
    const list = change(readAccess(dataDirectory));
    const bytes = Buffer.from(`${JSON.stringify(accessListSchema.parse(list), null, 2)}\n`);
    try {
      replaceFile(nodeFilePort, dataDirectory, fileName, bytes);
    } catch (error) {
      throw writeFailure(error);
    }
  } finally {
    release();
  }
}

async function takeTurn(path: string): Promise<() => void> {
  for (let waitedMs = 0; ; waitedMs += lockPollMs) {
    try {
      writeFileSync(path, '', { flag: 'wx', mode: 0o600 });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (errorNumber(error) !== 'EEXIST') throw writeFailure(error);
    }
    if (waitedMs >= limits.accessLockWaitMsMax) {
      throw new RuntimeError(
        'ACCESS_FILE_BUSY',
        `Somebody else is changing the tokens; try again. If nobody is, a change was cut off: remove ${path}.`,
      );
    }
    await sleep(lockPollMs);
  }
}

function readAccessFile(path: string): AccessList {
  const text = readOwnFile(path);
  if (text === null) return emptyAccessList;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unusable(path, 'is not JSON', cause);
  }
  const parsed = accessListSchema.safeParse(value);
  if (!parsed.success) throw unusable(path, 'is not a list of tokens', parsed.error);
  return parsed.data;
}

function readOwnFile(path: string): string | null {
  let file: number;
  try {
    // A link could lead to a file that somebody else writes, and a pipe would never end.
    file = openSync(
      path,
      constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
    );
  } catch (cause) {
    if (errorNumber(cause) === 'ENOENT') return null;
    throw unusable(path, 'cannot be read', cause);
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw unusable(path, 'is not a regular file');
    if ((status.mode & writableByOthers) !== 0) {
      throw unusable(path, 'may be written by others, so it proves nothing; run chmod 600 on it'); // (A1)
    }
    const own = process.geteuid?.();
    if (own !== undefined && status.uid !== own && status.uid !== 0) {
      throw unusable(path, 'belongs to another user'); // (A1)
    }
    if (status.size > limits.accessFileBytesMax) throw unusable(path, 'is too large');
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

function unusable(path: string, why: string, cause?: unknown): RuntimeError {
  return new RuntimeError(
    'ACCESS_FILE_UNUSABLE',
    `The file ${path} ${why}; no token is accepted until it is corrected, restored or removed.`,
    { cause },
  );
}
