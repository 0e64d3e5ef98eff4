/**
 * The files that a Node.js process needs to begin: its binary and the
 * libraries that the loader maps into it. Everything else of the host can
 * stay out of sight.
 */
import type { ReadOnlyBind } from './bubblewrap.ts';

/** Node's binary and its libraries, under the paths by which the loader looks for them. */
export function nodeFiles(): ReadOnlyBind[] {
  return [
    { from: process.execPath },
    ...sharedLibraries().map((from) => ({ from })),
    // Says where libraries lie that are in none of the loader's own folders.
    { from: '/etc/ld.so.cache', optional: true },
  ];
}

/** Of this very process; without native packages, which have libraries of their own. */
function sharedLibraries(): string[] {
  // The types of Node.js do not know this switch yet.
  const report: typeof process.report & { excludeNetwork?: boolean } = process.report;
  const { excludeNetwork = false } = report;
  // Names of network interfaces would be looked up, which takes time and is of no use.
  report.excludeNetwork = true;
  try {
    const { sharedObjects = [] } = report.getReport() as { sharedObjects?: string[] };
    return sharedObjects.filter((path) => path.startsWith('/') && /\.so(\.[\d.]+)?$/.test(path));
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}
