/**
 * A data directory whose runs were made by the real runtime, its machines and
 * its writer, and grow in number as they are asked for. Each run has agents
 * with nothing to ask, so that no model's time is in the way.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert } from '../../src/kernel/assert.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { startRuntime } from '../../src/runtime/start-runtime.ts';
import { benchConfig, idlePipeline, writeDocuments } from '../runs/idle-pipeline.ts';

const documents = 62;
const stepsPerDocument = 4;

const pipeline = idlePipeline('bench', stepsPerDocument);

export class RecordedRuns {
  readonly dataDirectory: string;
  readonly runs: string[] = [];
  events = 0;
  readonly #root: string;
  readonly #runtime: Runtime;

  private constructor(root: string, runtime: Runtime) {
    this.#root = root;
    this.dataDirectory = join(root, 'data');
    this.#runtime = runtime;
  }

  static async begin(): Promise<RecordedRuns> {
    const root = mkdtempSync(join(tmpdir(), 'openclaw-bench-replay-'));
    writeDocuments(join(root, 'input'), documents);
    const runtime = await startRuntime(benchConfig(join(root, 'data')));
    return new RecordedRuns(root, runtime);
  }

  /** Goes on with runs, one after the other, until there are so many events. */
  async growTo(events: number): Promise<void> {
    while (this.events < events) {
      const input = { folder: join(this.#root, 'input') };
      const { id } = await this.#runtime.startRun({ pipeline, input, seed: this.runs.length });
      const ended = await this.#runtime.ended(id);
      assert(ended.status === 'succeeded', 'the run succeeded');
      this.runs.push(id);
      this.events += ended.events;
    }
  }

  async end(): Promise<void> {
    await this.#runtime.stop();
    rmSync(this.#root, { recursive: true, force: true });
  }
}
