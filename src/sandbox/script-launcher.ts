/**
 * What stands between bubblewrap and a shell or Python script: a few lines of
 * sh, the first process of the namespace. It unpacks what the script may read,
 * runs it, and packs what may leave. It is on the script's side of the wall:
 * whatever it gives out is read as if the script itself had written it.
 *
 *   /job      the script, its working and home folder   (gone afterwards)
 *   /tmp       for programs that want one                 (gone afterwards)
 *   /out       what may leave
 *   /captured  standard output and standard error
 */

import type { ExecutionLimits } from './execution-limits.ts';
import type { ReadOnlyBind, TemporaryFolder } from './layers/bubblewrap.ts';
import type { ConfinedCommand } from './layers/confined-process.ts';
import type { Interpreter } from './script-language.ts';

/** Status of a launcher that could not begin. */
const unpackFailed = 96;
/** 128 and the signal by which the system ends whoever writes too large a file. */
export const fileTooLarge = 128 + 25;

const blockBytes = 512;
const mebibyte = 1024 * 1024;
const captureBytesMax = mebibyte;
const tmpBytesMax = 16 * mebibyte;

/** Folders that are the system's or the launcher's: nothing is mounted there. */
export const reservedFolders: ReadonlySet<string> = new Set([
  ...['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'etc', 'proc', 'dev', 'sys'],
  ...['run', 'var', 'boot', 'root', 'home', 'opt', 'tmp', 'job', 'out', 'captured'],
]);

/**
 * It says with one byte that it is there, and a line of standard input begins it: until then nothing of the script has run
 * and the process can be looked at. $1 is the largest file in blocks; the rest
 * is the command. As first process of its namespace it cannot be killed by the
 * script; whatever the script leaves running ends before the outputs are read.
 */
const program = `
printf .
read -r go || exit ${unpackFailed}
tar -xf - -C / <&3 || exit ${unpackFailed}
exec 3<&-
cd /job
ulimit -c 0
ulimit -n 256
ulimit -f "$1"
shift
"$@" >/captured/output/text 2>/captured/error/text
status=$?
kill -9 -1 2>/dev/null
chmod -R u+rwX /out /captured 2>/dev/null
exec 2>/dev/null
tar -cf - -C / captured out
exit $status
`;

/** What of the host a script can read: its programs and libraries. */
const systemFolders: readonly ReadOnlyBind[] = [
  { from: '/usr' },
  ...['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'].map((from) => ({
    from,
    optional: true,
  })),
  ...['/etc/ld.so.cache', '/etc/alternatives'].map((from) => ({ from, optional: true })),
];

export interface LauncherOptions {
  readonly interpreter: Interpreter;
  /** Name of the script's file in /job. */
  readonly scriptFile: string;
  /** Tar of everything that the script may read, by its paths from the root. */
  readonly unpacked: Buffer;
  /** Folders in it besides /job, and bytes of all. */
  readonly folders: readonly string[];
  readonly unpackedBytes: number;
  readonly seed: number;
  readonly memoryBytes: number;
  readonly tasks: number;
  readonly limits: ExecutionLimits;
}

export function launcherCommand(options: LauncherOptions): ConfinedCommand {
  const { interpreter, scriptFile, limits: own } = options;
  // Pages round up, and the folders themselves take some.
  const roomBytes = (bytes: number): number => bytes + mebibyte;
  const writable: TemporaryFolder[] = [
    { path: '/job', bytesMax: roomBytes(own.totalBytes) },
    { path: '/tmp', bytesMax: tmpBytesMax },
    { path: '/out', bytesMax: roomBytes(own.outputBytes) },
    { path: '/captured/output', bytesMax: captureBytesMax },
    { path: '/captured/error', bytesMax: captureBytesMax },
    ...options.folders.map((name) => ({
      path: `/${name}`,
      bytesMax: roomBytes(options.unpackedBytes * 2),
    })),
  ];
  const temporaryBytes = writable.reduce((sum, { bytesMax }) => sum + bytesMax, 0);
  const blocksMax = Math.max(1, Math.ceil(own.fileBytes / blockBytes));
  return {
    file: '/bin/sh',
    args: [
      '-c',
      program,
      'launcher',
      String(blocksMax),
      interpreter.file,
      ...interpreter.args,
      `/job/${scriptFile}`,
    ],
    environment: {
      PATH: '/usr/bin:/bin',
      HOME: '/job',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      PYTHONHASHSEED: String(options.seed),
    },
    readOnly: systemFolders,
    writable,
    workingDirectory: '/job',
    single: true,
    systemFolders: true,
    inputs: [options.unpacked],
    stderr: 'pipe',
    bounds: { memoryBytes: options.memoryBytes + temporaryBytes, tasks: options.tasks },
  };
}
