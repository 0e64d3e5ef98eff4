/** Which models to open, as the configuration says. */
import { availableParallelism } from 'node:os';
import type { ModelSettings } from '../inference/open-model.ts';
import type { RoutedModelsSettings } from '../inference/routed-models.ts';
import { defined } from '../kernel/defined.ts';
import { embeddedModelFile, type RuntimeConfig } from './config.ts';
import { type NamedModel, requireKey } from './models-config.ts';

function common({
  deterministic,
}: RuntimeConfig): Pick<ModelSettings, 'embeddedModelFile' | 'cores' | 'deterministic'> {
  return { embeddedModelFile: embeddedModelFile(), cores: availableParallelism(), deterministic };
}

/** The model that serves by default; the embedded one when the configuration says nothing. */
function modelSettings(config: RuntimeConfig): ModelSettings {
  const { file, name, draft, tier: _tier, ...rest } = config.model;
  const named = { modelFile: file, modelName: name, draftFile: draft };
  return { ...rest, ...defined(named), ...common(config) };
}

/**
 * All of them.
 * @param stateFolder Where each keeps what its sequences have no room for; without it nothing is kept.
 * @throws RuntimeError CONFIG_INVALID when the key of one is not set
 */
export function modelSetSettings(
  config: RuntimeConfig,
  stateFolder?: string,
): RoutedModelsSettings {
  const { tier } = config.model;
  const kept = stateFolder === undefined ? {} : { stateFolder };
  return {
    default: {
      model: { ...modelSettings(config), ...kept },
      ...(tier === undefined ? {} : { tier }),
    },
    others: (config.models ?? []).map((model) => slotSettings(model, config, kept)),
    memoryMb: config.modelMemoryMb ?? null,
    routing: config.routing ?? null,
  };
}

function slotSettings(
  model: NamedModel,
  config: RuntimeConfig,
  kept: Pick<ModelSettings, 'stateFolder'>,
): RoutedModelsSettings['others'][number] {
  requireKey(model);
  const { name, tier, file, model: askedAs = name, apiKeyEnv: _apiKeyEnv, ...rest } = model;
  // An endpoint that is not asked by another name is asked by this one.
  const modelName = model.baseUrl === undefined ? undefined : askedAs;
  return {
    name,
    ...(tier === 'small' || tier === 'large' ? { tier } : {}),
    model: {
      ...defined({ ...rest, modelFile: file, modelName }),
      ...common(config),
      ...kept,
    },
  };
}
