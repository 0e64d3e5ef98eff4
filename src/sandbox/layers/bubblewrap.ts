/**
 * How a command is put into namespaces of its own by bubblewrap: no network,
 * no other process, no file but those that are named.
 *
 * Invariants
 *   B1. The root is empty but for what is bound, and read-only; only the
 *       temporary file systems that are named can be written, up to a bound.
 *   B2. No environment, no capability, no terminal and no identity of the host.
 *   B3. It dies with whoever started it, and with it everything inside: the
 *       first process of a PID namespace takes all others along.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** A file or folder of the host that can be read inside, under the same path unless `to` says another. */
export interface ReadOnlyBind {
  readonly from: string;
  readonly to?: string;
  /** Left out where the host does not have it. */
  readonly optional?: boolean;
}

/** A file system in memory that is gone with the process. */
export interface TemporaryFolder {
  readonly path: string;
  readonly bytesMax: number;
}

export interface BubblewrapOptions {
  readonly readOnly: readonly ReadOnlyBind[];
  readonly writable: readonly TemporaryFolder[];
  /** All of the environment inside (B2). */
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** An own /proc, which shows the processes of the namespace alone. */
  readonly proc: boolean;
  /** /dev with null, zero, full, random and tty. */
  readonly devices: boolean;
  /** Without a reaper in front: for a command that starts no other. */
  readonly asFirstProcess: boolean;
  /** Descriptor to which bubblewrap writes the process id of its child. */
  readonly infoDescriptor: number;
  /** Descriptor of the seccomp filter, or null for none. */
  readonly seccompDescriptor: number | null;
  /** Descriptor at which the child waits for a byte before it begins, or null. */
  readonly blockDescriptor: number | null;
}

/** Nobody's numbers on every Linux (B2). */
const nobody = '65534';

const usualFolders = ['/usr/bin', '/bin', '/usr/local/bin'];

/** Absolute path of `bwrap`, or null where it is not installed. */
export function findBubblewrap(searchPath = process.env.PATH ?? ''): string | null {
  const folders = [...searchPath.split(delimiter).filter(isAbsolute), ...usualFolders];
  for (const folder of folders) {
    const path = join(folder, 'bwrap');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next folder.
    }
  }
  return null;
}

/** The words behind `bwrap`, up to and with `--`; the command follows. */
export function bubblewrapArguments(options: BubblewrapOptions): string[] {
  return [
    '--unshare-all',
    '--die-with-parent', // (B3)
    '--new-session',
    '--clearenv', // (B2)
    ...Object.entries(options.environment).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--cap-drop', 'ALL'],
    ...['--uid', nobody, '--gid', nobody, '--hostname', 'sandbox'],
    ...(options.asFirstProcess ? ['--as-pid-1'] : []),
    ...options.readOnly.flatMap(({ from, to = from, optional = false }) => [
      optional ? '--ro-bind-try' : '--ro-bind',
      from,
      to,
    ]),
    // Read-only: where the runtime is root, the settings of the kernel would be its own files.
    ...(options.proc ? ['--proc', '/proc', '--remount-ro', '/proc'] : []),
    // Without a bound of its own, so that nothing can be written there.
    ...(options.devices ? ['--dev', '/dev', '--remount-ro', '/dev'] : []),
    ...options.writable.flatMap(({ path, bytesMax }) => [
      ...['--size', String(bytesMax)],
      ...['--tmpfs', path],
    ]),
    ...['--remount-ro', '/'], // (B1)
    ...['--chdir', options.workingDirectory],
    ...['--info-fd', String(options.infoDescriptor)],
    ...(options.seccompDescriptor === null ? [] : ['--seccomp', String(options.seccompDescriptor)]),
    ...(options.blockDescriptor === null ? [] : ['--block-fd', String(options.blockDescriptor)]),
    '--',
  ];
}
