/**
 * Node's own permission model: the process may read the named files alone, and
 * may not write, open sockets, or start processes, threads or workers.
 *
 * It holds what JavaScript asks Node for. It is no boundary for native code:
 * that is what the other layers are for.
 */

/** Node's flags; `readable` are absolute paths of files. Native packages may be loaded from them. */
export function permissionFlags(readable: readonly string[]): string[] {
  return ['--permission', '--allow-addons', ...readable.map((path) => `--allow-fs-read=${path}`)];
}
