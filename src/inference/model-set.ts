/**
 * Several models under one cap of memory, behind the port of one. A model is
 * loaded when it is first asked for; what was used longest ago and is idle
 * leaves when another needs its room. A model can be replaced while it serves.
 *
 * Invariants
 *   N1. What all loaded models take, by estimate, never exceeds the cap, also
 *       while one replaces another.
 *   N2. Admission is first come, first served: who needs room that is in use holds
 *       back those who came later, so that models in use become idle.
 *   N3. A generation ends on the model it began on; one that begins after a
 *       reload begins on the new model.
 *   N4. What is local-only reaches no endpoint, whoever asks and whatever for.
 */
import { assert } from '../kernel/assert.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { ModelInstance } from './model-instance.ts';
import { ModelMemory } from './model-memory.ts';
import type {
  GenerateOptions,
  GenerationOutcome,
  GenerationRequest,
  ModelInfo,
  ModelPort,
  ModelUsage,
} from './model-port.ts';
import { ModelSlot, type ModelSlotSettings } from './model-slot.ts';
import type { ModelStatus } from './model-status.ts';
import { abortedError } from './time-limit.ts';
import { TurnQueue } from './turn-queue.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface ModelSetSettings {
  /** Serves whoever names no model, and is loaded at the start. */
  readonly default: ModelSlotSettings;
  readonly others: readonly (ModelSlotSettings & { readonly name: string })[];
  /** Mebibytes that all models together may take; null: without end. */
  readonly memoryMb: number | null;
}

export class ModelSet implements ModelPort {
  readonly #slots: readonly ModelSlot[];
  readonly #default: ModelSlot;
  readonly #memory: ModelMemory;
  readonly #instances = new Set<ModelInstance>();
  /** One decision about memory at a time (N2). */
  readonly #admission = new TurnQueue();
  readonly #reloads = new TurnQueue();
  readonly #closing = new AbortController();
  #uses = 0;
  #reloaded = false;

  /** Loads nothing. */
  constructor(settings: ModelSetSettings, clock: Clock = systemClock) {
    this.#default = new ModelSlot({ ...settings.default, isDefault: true }, clock);
    const others = settings.others.map((each) => new ModelSlot(each, clock));
    this.#slots = [this.#default, ...others];
    this.#memory = new ModelMemory(settings.memoryMb);
  }

  /** Of the default model, once it was opened; of the others their names. */
  get info(): ModelInfo {
    const { info } = this.#default;
    assert(info !== null, 'the default model is loaded at the start');
    const others = this.#slots.filter((slot) => slot !== this.#default);
    if (others.length === 0) return info;
    return { ...info, alternatives: others.map(({ name, backend }) => ({ name, backend })) };
  }

  /**
   * Loads the default model.
   * @throws RuntimeError as `openModel`; MODEL_TOO_LARGE; CONFIG_INVALID when it has the name of another.
   */
  async open(): Promise<void> {
    const instance = await this.#admission.run(() => this.#admit(this.#default));
    await instance.port.finally(() => instance.release());
    const { name } = this.#default;
    if (this.#slots.some((slot) => slot !== this.#default && slot.name === name)) {
      await this.close();
      throw new RuntimeError(
        'CONFIG_INVALID',
        `Two models have the name ${name}: the default one, by its file or endpoint, and one of models:; give that one another name.`,
      );
    }
  }

  async generate(
    request: GenerationRequest,
    options: GenerateOptions = {},
  ): Promise<GenerationOutcome> {
    if (this.#closing.signal.aborted) throw abortedError();
    const slot = this.#slotOf(request.model);
    refuseRemote(slot, request); // (N4)
    const { signal = this.#closing.signal, queueKey, priority } = options;
    const admit = () => this.#admit(slot, signal);
    const instance = await this.#admission.run(admit, { key: queueKey, priority, signal });
    try {
      const port = await unlessAborted(instance.port, signal);
      const watch = slot.speed.watch(options.onToken);
      // The name of a slot is its owner's; the model itself may have another.
      const asked = request.model === slot.name ? { ...request, model: null } : request;
      const outcome = await port.generate(asked, { ...options, onToken: watch.onToken });
      watch.end();
      if (this.#slots.length === 1 && !this.#reloaded) return outcome;
      return { ...outcome, served: { model: slot.name, sha256: port.info.sha256 } };
    } finally {
      this.#uses += 1;
      slot.lastUse = this.#uses;
      instance.release();
    }
  }

  /** All at one instant: the default model first, the others as they are configured. */
  async models(): Promise<readonly ModelStatus[]> {
    await Promise.all(this.#slots.map((slot) => slot.measureOnce()));
    const usages = await Promise.all(this.#slots.map((slot) => slot.usage()));
    return this.#slots.map((slot, index) => slot.status(usages[index] ?? null));
  }

  /** Of the default model, where it is loaded; `models` tells of each. */
  async usage(): Promise<ModelUsage | null> {
    return this.#default.usage();
  }

  async forget(queueKey: string): Promise<void> {
    const loaded = [...this.#instances].filter(({ info }) => info !== null);
    const ports = await Promise.all(loaded.map(({ port }) => port));
    await Promise.all(ports.map((port) => port.forget(queueKey)));
  }

  /**
   * Loads a model again, such as from a file that was replaced. It serves as before
   * meanwhile, unless both have no room together: then what is asked waits.
   * @throws RuntimeError MODEL_UNKNOWN; as `openModel`, after which the old model serves on or,
   *   where it had to leave, the next generation tries again; MODEL_TOO_LARGE
   */
  async reload(name: string): Promise<ModelStatus> {
    const slot = this.#slots.find((each) => each.name === name);
    if (slot === undefined) throw this.#unknown(name);
    const { signal } = this.#closing;
    return this.#reloads.run(
      async () => {
        const next = await this.#admission.run(() => this.#admitNext(slot), { signal });
        await next.port;
        if (slot.instance !== next) slot.replace(next)?.retire(); // (N3)
        this.#reloaded = true;
        return slot.status(await slot.usage());
      },
      { signal },
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#memory.notify();
    await Promise.all([this.#admission.idle(), this.#reloads.idle()]);
    await Promise.all([...this.#instances].map((instance) => instance.close()));
  }

  /** A name that no model has is for the default one to refuse, or for its endpoint to know. */
  #slotOf(name: string | null | undefined): ModelSlot {
    if (name === null || name === undefined) return this.#default;
    return this.#slots.find((slot) => slot.name === name) ?? this.#default;
  }

  /** The model of the slot, loaded or loading, held for the caller. */
  async #admit(slot: ModelSlot, signal: AbortSignal = this.#closing.signal) {
    if (this.#closing.signal.aborted) throw abortedError();
    if (slot.instance === null) {
      const bytes = await this.#bytesOf(slot);
      await this.#makeRoom(bytes, signal);
      slot.replace(this.#begin(slot, bytes));
    }
    assert(slot.instance !== null, 'it was loaded here');
    slot.instance.hold();
    return slot.instance;
  }

  /** The next model of a slot: beside the present one, or where there is no room for both in its place. */
  async #admitNext(slot: ModelSlot): Promise<ModelInstance> {
    if (this.#closing.signal.aborted) throw abortedError();
    const bytes = await this.#bytesOf(slot);
    const others = this.#idle().filter((each) => each !== slot);
    const freed = others.reduce((sum, { instance }) => sum + (instance?.bytes ?? 0), 0);
    const beside = this.#memory.fits(bytes, freed);
    if (!beside) slot.replace(null)?.retire();
    await this.#makeRoom(bytes, this.#closing.signal, slot);
    const next = this.#begin(slot, bytes);
    if (!beside) slot.replace(next);
    return next;
  }

  #begin(slot: ModelSlot, bytes: number): ModelInstance {
    const instance = new ModelInstance(bytes, this.#memory, () => slot.open());
    this.#instances.add(instance);
    const forget = (): void => {
      this.#instances.delete(instance);
      if (slot.instance === instance) slot.replace(null);
    };
    instance.port.catch(forget);
    instance.closed.then(forget);
    return instance;
  }

  /** Closes what is idle until so many bytes have room, or waits until it is (N1). */
  async #makeRoom(bytes: number, signal: AbortSignal, kept?: ModelSlot): Promise<void> {
    while (!this.#memory.fits(bytes)) {
      if (signal.aborted || this.#closing.signal.aborted) throw abortedError();
      const [longestAgo] = this.#idle().filter((slot) => slot !== kept);
      if (longestAgo === undefined) await unlessAborted(this.#memory.changed(), signal);
      else await longestAgo.replace(null)?.close();
    }
  }

  /** Used longest ago first. */
  #idle(): ModelSlot[] {
    return this.#slots
      .filter(({ instance }) => instance?.idle === true)
      .sort((one, other) => one.lastUse - other.lastUse);
  }

  /** @throws RuntimeError MODEL_TOO_LARGE, and as `measureModel` */
  async #bytesOf(slot: ModelSlot): Promise<number> {
    const { bytes } = await slot.measure();
    if (this.#memory.couldFit(bytes)) return bytes;
    const mb = Math.ceil(bytes / 2 ** 20);
    throw new RuntimeError(
      'MODEL_TOO_LARGE',
      `The model ${slot.name} needs about ${mb} MiB, and all models together may take ${this.#memory.capMb}; raise modelMemoryMb, or give it fewer sequences.`,
      { details: { bytes } },
    );
  }

  #unknown(name: string): RuntimeError {
    const names = this.#slots.map((slot) => slot.name).join(', ');
    return new RuntimeError('MODEL_UNKNOWN', `No model has the name ${name}; there are: ${names}.`);
  }
}

function refuseRemote(slot: ModelSlot, { privacy }: GenerationRequest): void {
  if (privacy !== 'local-only' || !slot.remote) return;
  throw new RuntimeError(
    'PRIVACY_LOCAL_ONLY',
    `The prompt is local-only and the model ${slot.name} is behind an endpoint; name a model of this machine, or say privacy: any.`,
  );
}
