/** One script that somebody outside sends: what the API takes and answers. */

import { limits } from '../kernel/limits.ts';
import { executionLimits } from '../sandbox/execution-limits.ts';
import { FileError } from '../sandbox/file-error.ts';
import type { OutputFile } from '../sandbox/output-manifest.ts';
import { OverlayFileSystem } from '../sandbox/overlay-file-system.ts';
import { failedOutcome, type SandboxOutcome } from '../sandbox/sandbox-outcome.ts';
import type { AnyExecution, Sandboxes } from '../sandbox/sandboxes.ts';

export interface SandboxRequest
  extends Pick<
    AnyExecution,
    | 'source'
    | 'language'
    | 'input'
    | 'seed'
    | 'timeMs'
    | 'timeoutMs'
    | 'cpuMs'
    | 'memoryMb'
    | 'limits'
  > {
  /** Content by path below /docs, as base64. */
  readonly files?: Readonly<Record<string, string>> | undefined;
}

export interface SandboxReport extends Omit<SandboxOutcome, 'files'> {
  /** The files that the script left under /out, with their content. */
  readonly files?: readonly (OutputFile & { readonly base64: string })[];
}

/** Runs the script of a request; what is wrong with the request is an outcome too. */
export async function runSandboxRequest(
  sandboxes: Sandboxes,
  { files: given = {}, ...request }: SandboxRequest,
  signal?: AbortSignal,
): Promise<SandboxReport> {
  const asked = request.limits ?? {};
  // What leaves is in the answer.
  const { outputBytes = limits.sandboxApiFileBytesMax } = asked;
  const own = executionLimits({
    ...asked,
    outputBytes: Math.min(outputBytes, limits.sandboxApiFileBytesMax),
  });
  if (typeof own === 'string') return reportOf(failedOutcome('SANDBOX_INPUT_INVALID', own));
  let fileSystem: OverlayFileSystem;
  try {
    const files = new Map(
      Object.entries(given).map(([path, text]) => [path, Buffer.from(text, 'base64')] as const),
    );
    fileSystem = new OverlayFileSystem({ mounts: [{ at: '/docs', files }], limits: own });
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    const message = `The files cannot be mounted: ${error.message}.`;
    return reportOf(failedOutcome('SANDBOX_MOUNT_INVALID', message));
  }
  const outcome = await sandboxes.execute({ ...request, limits: own, fileSystem, signal });
  return reportOf(outcome, fileSystem);
}

function reportOf(
  { files, ...outcome }: SandboxOutcome,
  fileSystem?: OverlayFileSystem,
): SandboxReport {
  if (files === undefined || fileSystem === undefined) return outcome;
  const contents = new Map(
    fileSystem.outputs().map(({ path, bytes }) => [path.join('/'), bytes.toString('base64')]),
  );
  return {
    ...outcome,
    files: files.map((file) => ({ ...file, base64: contents.get(file.path) ?? '' })),
  };
}
