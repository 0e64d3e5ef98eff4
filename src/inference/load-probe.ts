/**
 * Loads a model file in a process of its own first: llama.cpp answers some
 * damaged files by ending its process, and this way it is not the runtime's.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { siblingModule } from '../kernel/module-url.ts';

/** A sound file on a slow disk may take longer; it is then taken for sound. */
const probeMsMax = 60_000;
/** Exit status of a process that ends with an error of its own language. */
const refused = 1;

/** @returns whether llama.cpp survives loading the file; its own complaint comes later. */
export async function survivesLoading(file: string): Promise<boolean> {
  const entry = fileURLToPath(siblingModule(import.meta.url, 'load-probe-entry'));
  const probe = spawn(process.execPath, [entry, file], { stdio: 'ignore', windowsHide: true });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    probe.kill('SIGKILL');
  }, probeMsMax);
  try {
    // A process that a signal ended has no status.
    const [status] = await once(probe, 'exit');
    return late || status === 0 || status === refused;
  } catch {
    // No second process can be started here, so nothing speaks against the file.
    return true;
  } finally {
    clearTimeout(timer);
  }
}
