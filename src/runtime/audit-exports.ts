/**
 * The exports of a running system: for each receiver a cursor, a file that says up
 * to which record it took everything.
 *
 * Invariants
 *   X1. A cursor moves only after its receiver took the batch. So after a crash
 *       some entries are told again, with the same ids, and none is lost.
 *   X2. A receiver that does not answer is asked again after growing delays, and
 *       holds up nobody else. Nothing waits in memory for it: the journal is the queue.
 *   X3. Only what is durable is told.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { readLogVerifier } from '../identity/log-key.ts';
import { auditFolder } from '../journal/data-folders.ts';
import { errorNumber } from '../journal/file-port.ts';
import type { JournalPosition } from '../journal/record.ts';
import { RuntimeError, toErrorMessage } from '../kernel/errors.ts';
import { sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import type { AuditFormat } from './audit-export-format.ts';
import { sendLines } from './audit-export-target.ts';
import { CpuPool } from './pool/client.ts';

export interface ExportTarget {
  readonly format: AuditFormat;
  readonly to: string;
}

export interface AuditExportsParts {
  readonly dataDirectory: string;
  readonly targets: readonly ExportTarget[];
  readonly follower: {
    readonly position: JournalPosition;
    readonly end: { readonly sequence: number };
  };
  readonly onNotice: (text: string) => void;
}

const cursorSchema = z.strictObject({
  format: z.string(),
  to: z.string(),
  sequence: z.number().int().nonnegative(),
});

/** What a log is called that has no key yet. */
const unsigned = 'openclaw/journal/unsigned';

/** Name of the log of a data directory. */
export function originOf(dataDirectory: string): string {
  try {
    return readLogVerifier(dataDirectory)?.name ?? unsigned;
  } catch (error) {
    if (error instanceof RuntimeError) return unsigned;
    throw error;
  }
}

export class AuditExports {
  readonly #parts: AuditExportsParts;
  readonly #stopping = new AbortController();
  #pool: CpuPool | null = null;
  #running: Promise<unknown> = Promise.resolve();

  constructor(parts: AuditExportsParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#parts.targets.length === 0) return;
    const pool = new CpuPool({ threads: 1 });
    this.#pool = pool;
    this.#running = Promise.all(this.#parts.targets.map((target) => this.#serve(target, pool)));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#pool?.close();
  }

  /** Never rejects. */
  async #serve(target: ExportTarget, pool: CpuPool): Promise<void> {
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      let waitMs: number = limits.auditExportPollMs;
      try {
        if (await this.#batch(target, pool)) waitMs = 0;
        if (failures > 0) this.#parts.onNotice(`The audit: ${target.to} takes records again.`);
        failures = 0;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        if (failures === 0) this.#parts.onNotice(`The audit: ${toErrorMessage(error).message}`);
        failures += 1;
        waitMs = Math.min(limits.auditExportPollMs * 2 ** failures, limits.auditExportBackoffMsMax); // (X2)
      }
      await this.#sleep(waitMs);
    }
  }

  /** @returns whether there may be more at once. */
  async #batch({ format, to }: ExportTarget, pool: CpuPool): Promise<boolean> {
    const { dataDirectory, follower } = this.#parts;
    const cursor = cursorPath(dataDirectory, { format, to });
    const after = await readCursor(cursor);
    const { sequence } = follower.end;
    if (sequence <= after) return false;
    const until = { ...follower.position }; // (X3)
    const origin = originOf(dataDirectory);
    const request = { dataDirectory, after, until, format, origin };
    const { lines, last } = await pool.run('read-export-batch', request);
    if (lines.length > 0) await sendLines(to, format, lines, this.#stopping.signal);
    if (last > after) await writeCursor(cursor, { format, to, sequence: last }); // (X1)
    return last > after && last < sequence;
  }

  async #sleep(timeMs: number): Promise<void> {
    await sleep(timeMs, undefined, { signal: this.#stopping.signal, ref: false }).catch(
      () => undefined,
    );
  }
}

function cursorPath(dataDirectory: string, { format, to }: ExportTarget): string {
  return join(auditFolder(dataDirectory), `cursor-${sha256(`${format} ${to}`).slice(0, 16)}.json`);
}

/** @throws RuntimeError AUDIT_EXPORT_FAILED where the file is there and is no cursor */
async function readCursor(path: string): Promise<number> {
  try {
    return cursorSchema.parse(JSON.parse(await readFile(path, 'utf8'))).sequence;
  } catch (cause) {
    if (errorNumber(cause) === 'ENOENT') return 0;
    throw new RuntimeError(
      'AUDIT_EXPORT_FAILED',
      `${path} is damaged; remove it to export all from the beginning again.`,
      { cause },
    );
  }
}

async function writeCursor(path: string, cursor: z.output<typeof cursorSchema>): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  const file = await open(`${path}.tmp`, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(cursor)}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
}
