/** One model of a set: how it is opened, what is loaded of it, and what was seen of it. */
import type { Clock } from '../kernel/clock.ts';
import { limits } from '../kernel/limits.ts';
import { declaredDevice } from './device.ts';
import type { ModelInstance } from './model-instance.ts';
import { type ModelSize, measureModel } from './model-memory.ts';
import type { ModelInfo, ModelPort, ModelUsage } from './model-port.ts';
import type { ModelState, ModelStatus, ModelTier } from './model-status.ts';
import { type ModelSettings, openModel } from './open-model.ts';
import { SpeedMeter } from './speed-meter.ts';

export interface ModelSlotSettings {
  /** Without it the model's own. */
  readonly name?: string;
  /** Of a model file; an endpoint is remote. */
  readonly tier?: 'small' | 'large';
  readonly model: ModelSettings;
}

/** Of a model that was never loaded and has no name from its owner. */
const namelessYet = 'default';

export class ModelSlot {
  readonly isDefault: boolean;
  readonly tier: ModelTier;
  readonly speed: SpeedMeter;
  /** When it was used last, counted in uses of any model. */
  lastUse = 0;
  readonly #settings: ModelSlotSettings;
  #instance: ModelInstance | null = null;
  #info: ModelInfo | null = null;
  #size: ModelSize | null = null;

  constructor(settings: ModelSlotSettings & { readonly isDefault?: true }, clock: Clock) {
    this.#settings = settings;
    this.isDefault = settings.isDefault ?? false;
    this.tier = settings.model.baseUrl === undefined ? (settings.tier ?? 'small') : 'remote';
    this.speed = new SpeedMeter(clock);
  }

  get name(): string {
    return this.#settings.name ?? this.info?.name ?? namelessYet;
  }

  get backend(): ModelInfo['backend'] {
    return this.remote ? 'openai-compatible' : 'llama.cpp';
  }

  /** Behind an endpoint, wherever that is. */
  get remote(): boolean {
    return this.tier === 'remote';
  }

  /** What new generations begin on. */
  get instance(): ModelInstance | null {
    return this.#instance;
  }

  /** Of what is loaded, or was loaded last. */
  get info(): ModelInfo | null {
    this.#info = this.#instance?.info ?? this.#info;
    return this.#info;
  }

  /** @returns what was there before */
  replace(next: ModelInstance | null): ModelInstance | null {
    this.#info = this.info;
    const before = this.#instance;
    this.#instance = next;
    return before;
  }

  open(): Promise<ModelPort> {
    return openModel(this.#settings.model);
  }

  /** As the file is now. @throws RuntimeError as `measureModel` */
  async measure(): Promise<ModelSize> {
    this.#size = await measureModel(this.#settings.model);
    return this.#size;
  }

  /** So that its status tells a size; a file that cannot be read has none. */
  async measureOnce(): Promise<void> {
    if (this.#size === null) await this.measure().catch(() => undefined);
  }

  /** @param usage as `usage` told it just before */
  status(usage: ModelUsage | null): ModelStatus {
    const size = this.#size;
    const { model } = this.#settings;
    return {
      name: this.name,
      default: this.isDefault,
      backend: this.backend,
      tier: this.tier,
      sha256: this.info?.sha256 ?? null,
      state: this.#state(),
      memoryBytes: size?.bytes ?? null,
      parameters: size?.parameters ?? null,
      contextTokens: this.info?.contextTokens ?? size?.contextTokens ?? null,
      device: this.info?.device ?? this.#declaredDevice(),
      sequences: this.remote ? null : (model.sequences ?? limits.sequencesDefault),
      generations: this.#instance?.holders ?? 0,
      tokensPerSecond: this.speed.tokensPerSecond,
      usage,
    };
  }

  /** Null while it is not loaded. */
  async usage(): Promise<ModelUsage | null> {
    const instance = this.#instance;
    if (instance === null || instance.info === null) return null;
    // It may be closed meanwhile.
    return (await instance.port).usage().catch(() => null);
  }

  #declaredDevice(): 'cpu' | 'gpu' | null {
    const { baseUrl, modelFile, device = 'auto' } = this.#settings.model;
    if (baseUrl !== undefined) return null;
    // The embedded model is never on a GPU.
    return modelFile === undefined ? 'cpu' : declaredDevice(device);
  }

  #state(): ModelState {
    if (this.#instance === null) return 'closed';
    if (this.#instance.info === null) return 'loading';
    return this.#instance.holders > 0 ? 'loaded' : 'idle';
  }
}
