/** Which models to open, as the configuration says. */
import { availableParallelism } from 'node:os';
import type { ModelSettings } from '../inference/open-model.ts';
import type { RoutedModelsSettings } from '../inference/routed-models.ts';
import { embeddedModelFile, type RuntimeConfig } from './config.ts';
import { type NamedModel, requireKey } from './models-config.ts';

function common({
  deterministic,
}: RuntimeConfig): Pick<ModelSettings, 'embeddedModelFile' | 'cores' | 'deterministic'> {
  return { embeddedModelFile: embeddedModelFile(), cores: availableParallelism(), deterministic };
}

/** The model that serves by default; the embedded one when the configuration says nothing. */
function modelSettings(config: RuntimeConfig): ModelSettings {
  const { model } = config;
  return {
    ...(model.file === undefined ? {} : { modelFile: model.file }),
    ...(model.baseUrl === undefined ? {} : { baseUrl: model.baseUrl }),
    ...(model.apiKey === undefined ? {} : { apiKey: model.apiKey }),
    ...(model.name === undefined ? {} : { modelName: model.name }),
    ...(model.sequences === undefined ? {} : { sequences: model.sequences }),
    ...(model.speculation === undefined ? {} : { speculation: model.speculation }),
    ...(model.draft === undefined ? {} : { draftFile: model.draft }),
    ...(model.process === undefined ? {} : { process: model.process }),
    ...common(config),
  };
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
  const { name, tier, baseUrl, file } = model;
  return {
    name,
    ...(tier === 'small' || tier === 'large' ? { tier } : {}),
    model: {
      ...(file === undefined ? {} : { modelFile: file }),
      // An endpoint that is not asked by another name is asked by this one.
      ...(baseUrl === undefined ? {} : { baseUrl, modelName: model.model ?? name }),
      ...(model.apiKey === undefined ? {} : { apiKey: model.apiKey }),
      ...(model.sequences === undefined ? {} : { sequences: model.sequences }),
      ...(model.process === undefined ? {} : { process: model.process }),
      ...common(config),
      ...kept,
    },
  };
}
