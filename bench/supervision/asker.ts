/** Asks a model file, each request once: the same request has the same answer. */
import { openLlamaModel } from '../../src/inference/llama-model.ts';
import type {
  ChatMessage,
  Correction,
  DetectorSettings,
  GenerationOutcome,
  ModelPort,
} from '../../src/inference/model-port.ts';
import { embeddedModelFile } from '../inference/models.ts';

const maxTokens = 160;
const timeoutMs = 120_000;

export interface Asked {
  readonly messages: ChatMessage[];
  readonly temperature: number;
  readonly seed: number;
  readonly detectors: DetectorSettings;
  readonly correction?: Correction;
}

export const noDetectors: DetectorSettings = { minConfidence: null, repetition: null };

export class Asker {
  readonly #model: ModelPort;
  readonly #known = new Map<string, Promise<GenerationOutcome>>();

  /** One generation at a time, each with the same tokens in every run. */
  static async open(file: string = embeddedModelFile): Promise<Asker> {
    const model = await openLlamaModel({
      file,
      trusted: true,
      device: 'cpu',
      cores: 2,
      deterministic: true,
    });
    return new Asker(model);
  }

  private constructor(model: ModelPort) {
    this.#model = model;
  }

  ask(asked: Asked): Promise<GenerationOutcome> {
    const key = JSON.stringify(asked);
    const known =
      this.#known.get(key) ??
      this.#model.generate({ ...asked, schema: null, maxTokens, timeoutMs });
    this.#known.set(key, known);
    return known;
  }

  close(): Promise<void> {
    return this.#model.close();
  }
}
