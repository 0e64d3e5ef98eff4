/**
 * The oldest isolated-vm that scripts are given to. Older ones let a script
 * out of its isolate (GHSA-864f-rcv7-6rh4).
 */

const versionMin = [7, 0, 1] as const;

/** What is wrong with a version, in one sentence, or null. */
export function isolatedVmProblem(version: unknown): string | null {
  const least = versionMin.join('.');
  // A pre-release of a version lacks what the version itself has.
  const match = /^(\d+)\.(\d+)\.(\d+)(?:\+.*)?$/.exec(String(version));
  if (match === null) {
    return `The version of isolated-vm, ${JSON.stringify(version)}, is no release from ${least} on.`;
  }
  const parts = match.slice(1).map(Number);
  for (const [index, minimum] of versionMin.entries()) {
    const part = parts[index] ?? 0;
    if (part > minimum) return null;
    if (part < minimum) return `isolated-vm ${version} is older than ${least}.`;
  }
  return null;
}
