/**
 * Chooses the model that serves: an endpoint, a file of the user, or the
 * embedded demonstration model, in this order.
 */
import { z } from 'zod';
import { defined } from '../kernel/defined.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { openChildModel } from './child-model.ts';
import type { Device } from './device.ts';
import { EndpointClient } from './endpoint-client.ts';
import { openLlamaModel } from './llama-model.ts';
import type { ContextTokens } from './load-llama.ts';
import type { ModelPort } from './model-port.ts';
import { OpenAiModel } from './openai-model.ts';
import type { SpeculationKind } from './speculation.ts';
import { TimeLimit } from './time-limit.ts';

/** Time in which an endpoint has to name its models. */
const listModelsMsMax = 10_000;

const modelListSchema = z.object({ data: z.array(z.object({ id: z.string() })).min(1) });

export interface ModelSettings {
  /** A GGUF file of the user. */
  readonly modelFile?: string;
  /** An OpenAI-compatible endpoint, up to and with its `/v1`. */
  readonly baseUrl?: string;
  readonly apiKey?: string;
  /** Model of the endpoint; without it the first one that the endpoint lists. */
  readonly modelName?: string;
  readonly embeddedModelFile: string;
  /** Processor cores of the machine, at least 1. */
  readonly cores: number;
  /** Contexts that a model file holds at once; limits.sequencesDefault without it. */
  readonly sequences?: number;
  /** Tokens of each of them at the beginning and at most. */
  readonly contextTokens?: ContextTokens;
  /** What works with the user's file; the embedded one always works on the processor. */
  readonly device?: Device;
  /** One generation at a time, each with the same tokens whatever else is asked. */
  readonly deterministic?: boolean;
  /** How tokens are guessed ahead while that is faster; from the prompt without it. */
  readonly speculation?: SpeculationKind;
  readonly draftFile?: string;
  /** Where a folder is made for what no sequence has room for. */
  readonly stateFolder?: string;
  /** Where a model file is loaded: in this thread unless said. An endpoint is another process anyway. */
  readonly process?: 'thread' | 'child';
  /** The user's file is loaded here without a trial in a process of its own. */
  readonly trusted?: boolean;
}

/**
 * @throws RuntimeError MODEL_NOT_FOUND, MODEL_INVALID, NATIVE_PACKAGE_MISSING, CONFIG_INVALID;
 * of an endpoint without a model name also INFERENCE_UNAVAILABLE, INFERENCE_REJECTED,
 * INFERENCE_PROTOCOL, INFERENCE_TIMEOUT.
 */
export async function openModel(settings: ModelSettings): Promise<ModelPort> {
  const { baseUrl, modelFile } = settings;
  if (baseUrl !== undefined && modelFile !== undefined) {
    throw new RuntimeError(
      'CONFIG_INVALID',
      'Both a model file and a model endpoint are given; keep only one of OPENCLAW_MODEL and OPENCLAW_BASE_URL.',
    );
  }
  if (baseUrl !== undefined) {
    const endpoint = new EndpointClient(baseUrl, settings.apiKey ?? null);
    return new OpenAiModel(endpoint, settings.modelName ?? (await firstModel(endpoint)));
  }
  if (settings.process === 'child') return openChildModel(settings);
  const { cores, sequences = limits.sequencesDefault, deterministic = false } = settings;
  const { stateFolder, draftFile, contextTokens, device = 'auto' } = settings;
  const { speculation = 'prompt-lookup', trusted = false } = settings;
  const common = {
    cores,
    sequences,
    deterministic,
    speculation,
    ...defined({ draftFile, stateFolder, contextTokens }),
  };
  return modelFile === undefined
    ? openLlamaModel({
        ...common,
        file: settings.embeddedModelFile,
        trusted: true,
        device: 'cpu',
        demonstration: true,
      })
    : openLlamaModel({ ...common, file: modelFile, trusted, device });
}

async function firstModel(endpoint: EndpointClient): Promise<string> {
  const time = new TimeLimit(listModelsMsMax, undefined);
  try {
    const list = modelListSchema.safeParse(await endpoint.getJson('models', time.signal));
    const name = list.data?.data[0]?.id;
    if (name !== undefined) return name;
    throw new RuntimeError(
      'INFERENCE_PROTOCOL',
      'The model endpoint lists no model; name one in OPENCLAW_MODEL_NAME.',
    );
  } catch (error) {
    if (time.signal.aborted) throw time.error();
    throw error;
  } finally {
    time.end();
  }
}
