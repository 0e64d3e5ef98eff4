import type { ErrorCode } from '../kernel/errors.ts';
import type { Json } from '../kernel/json.ts';
import type { ConsoleLine } from './console-lines.ts';
import type { LayerName } from './layers/layer.ts';
import type { OutputFile } from './output-manifest.ts';

/** What one execution used. Zero where the platform does not tell. */
export interface SandboxUsage {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Most memory above that of an idle process, MiB. */
  readonly memoryMb: number;
}

/** What became of a script; never an exception. */
export interface SandboxOutcome {
  readonly ok: boolean;
  /** The awaited completion value; null when there is none. Present when ok. */
  readonly value?: Json;
  /** Present when not ok. */
  readonly error?: { readonly code: ErrorCode; readonly message: string };
  /** What the script wrote with `console`, bounded; absent when the process was killed. */
  readonly console?: string;
  /** The same line by line, with the levels. */
  readonly lines?: readonly ConsoleLine[];
  /** The files that may leave. Present when ok; their content is in the execution's file system. */
  readonly files?: readonly OutputFile[];
  readonly usage: SandboxUsage;
  /** What held the process, by the kernel's account; none when there was no process. */
  readonly layers: readonly LayerName[];
}

const nothingUsed: SandboxUsage = { wallMs: 0, cpuMs: 0, memoryMb: 0 };

export function failedOutcome(
  code: ErrorCode,
  message: string,
  usage: SandboxUsage = nothingUsed,
): SandboxOutcome {
  return { ok: false, error: { code, message }, usage, layers: [] };
}
