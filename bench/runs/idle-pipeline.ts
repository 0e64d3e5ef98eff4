/** Runs that cost the runtime alone: documents, and agents with nothing to ask. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeConfig } from '../../src/runtime/config.ts';

/** Each document goes through the steps, one after the other. */
export function idlePipeline(name: string, steps: number) {
  return {
    name,
    agents: { idle: { prompt: '{{each}}' } },
    steps: Array.from({ length: steps }, (_, index) => ({
      id: `step-${index}`,
      agent: 'idle',
      map: 'documents',
      // Not a list, so there is nothing to ask.
      each: 'run.name',
      needs: index === 0 ? [] : [`step-${index - 1}`],
    })),
  };
}

/** A new folder of so many short documents. */
export function writeDocuments(folder: string, count: number): void {
  mkdirSync(folder);
  for (let index = 0; index < count; index += 1) {
    const name = `document-${String(index).padStart(4, '0')}.txt`;
    writeFileSync(join(folder, name), `Document ${index}.\n`);
  }
}

/** The embedded model, on loopback, and a journal that waits for the disk. */
export function benchConfig(dataDirectory: string): RuntimeConfig {
  return {
    dataDirectory,
    host: '127.0.0.1',
    port: 0,
    model: {},
    deterministic: true,
    journal: 'durable',
    debug: false,
  };
}
