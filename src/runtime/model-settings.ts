import { availableParallelism } from 'node:os';
import type { ModelSettings } from '../inference/open-model.ts';
import { embeddedModelFile, type RuntimeConfig } from './config.ts';

/** Which model to open, as the configuration says; the embedded one when it says nothing. */
export function modelSettings({ model, deterministic }: RuntimeConfig): ModelSettings {
  return {
    ...(model.file === undefined ? {} : { modelFile: model.file }),
    ...(model.baseUrl === undefined ? {} : { baseUrl: model.baseUrl }),
    ...(model.apiKey === undefined ? {} : { apiKey: model.apiKey }),
    ...(model.name === undefined ? {} : { modelName: model.name }),
    ...(model.sequences === undefined ? {} : { sequences: model.sequences }),
    ...(model.speculation === undefined ? {} : { speculation: model.speculation }),
    ...(model.draft === undefined ? {} : { draftFile: model.draft }),
    deterministic,
    embeddedModelFile: embeddedModelFile(),
    cores: availableParallelism(),
  };
}
