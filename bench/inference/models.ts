/** The two models that are measured: the embedded one, and a larger one that is made for it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const models = join(import.meta.dirname, '../../models');

export const embeddedModelFile = join(models, 'tiny-agent.gguf');

/** Writes the model of models/train/random.mjs into a folder of its own; less than a second. */
export function makeRandomModel(): { readonly file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'openclaw-bench-inference-'));
  const file = join(folder, 'random-50m.gguf');
  execFileSync(process.execPath, [join(models, 'train/random.mjs'), file], { stdio: 'pipe' });
  return { file, remove: () => rmSync(folder, { recursive: true }) };
}
