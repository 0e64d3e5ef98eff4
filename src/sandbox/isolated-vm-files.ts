/**
 * Where the native part of isolated-vm lies. The runtime looks, so that a
 * sandbox process can be started without the right to look around.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { isolatedVmProblem } from './isolated-vm-version.ts';

export interface IsolatedVmFiles {
  readonly version: string;
  /** Absolute path of the package's package.json. */
  readonly manifest: string;
  /** Absolute path of the shared library. */
  readonly addon: string;
}

/** @throws RuntimeError NATIVE_PACKAGE_MISSING, ISOLATED_VM_OUTDATED */
export function isolatedVmFiles(): IsolatedVmFiles {
  const files = locate();
  const problem = isolatedVmProblem(files.version);
  if (problem !== null)
    throw new RuntimeError('ISOLATED_VM_OUTDATED', `${problem} Run npm ci again.`);
  return files;
}

/**
 * For the start of a runtime. A package that is missing altogether is told by
 * whoever needs it: much works without.
 * @throws RuntimeError ISOLATED_VM_OUTDATED
 */
export function refuseOutdatedIsolatedVm(): void {
  try {
    isolatedVmFiles();
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'ISOLATED_VM_OUTDATED') throw error;
  }
}

function locate(): IsolatedVmFiles {
  try {
    const manifest = createRequire(import.meta.url).resolve('isolated-vm/package.json');
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    // The package's own loader knows which of its builds fits; here it only says where that is.
    const loader = createRequire(manifest)('node-gyp-build') as { path(folder: string): string };
    return { version, manifest, addon: loader.path(dirname(manifest)) };
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1)[0];
    throw new RuntimeError(
      'NATIVE_PACKAGE_MISSING',
      `The package isolated-vm does not load on this machine (${reason}); run npm ci again, then claw doctor.`,
      { cause },
    );
  }
}
