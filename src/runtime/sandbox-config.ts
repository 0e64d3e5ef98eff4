/** `sandbox:` of the configuration: which layers are required, and how many processes wait. */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';
import {
  type LayerName,
  type LayerPolicy,
  layerDemands,
  layerNames,
  layerPolicyDefault,
} from '../sandbox/layers/layer.ts';

const demand = z.enum(layerDemands).optional();
const layerShape = Object.fromEntries(layerNames.map((name) => [name, demand])) as Record<
  LayerName,
  typeof demand
>;

export const sandboxSettingsSchema = z.strictObject({
  ...layerShape,
  pool: z.number().int().min(0).max(limits.sandboxPoolSizeMax).optional(),
});

export type SandboxSettings = z.output<typeof sandboxSettingsSchema>;

/** What a pool of sandbox processes is opened with. */
export interface SandboxPoolSettings {
  readonly size: number;
  readonly policy: LayerPolicy;
}

/** Settings with what stands where they say nothing. */
export function sandboxPoolSettings(settings: SandboxSettings = {}): SandboxPoolSettings {
  const { pool = limits.sandboxPoolSize } = settings;
  const demandOf = (name: LayerName) => [name, settings[name] ?? layerPolicyDefault[name]] as const;
  return {
    size: pool,
    policy: Object.fromEntries(layerNames.map(demandOf)) as Record<
      LayerName,
      LayerPolicy[LayerName]
    >,
  };
}
