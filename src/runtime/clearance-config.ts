/** Settings of clearance and policies, and what a run takes from them. */
import { z } from 'zod';
import { clearanceSchema } from '../actors/labels.ts';
import { defined } from '../kernel/defined.ts';
import type { ClearanceSettings } from './labelled-definition.ts';
import { type PolicyFile, policySetHash } from './policy/policy-files.ts';

export interface ClearanceConfig {
  /** Levels, and what stays on this machine, for pipelines that label something and say less. */
  readonly clearance?: ClearanceSettings;
  /** Absolute path of a file or folder of policies. */
  readonly policies?: string;
}

/** In the configuration file. */
export const clearanceShape = {
  clearance: clearanceSchema.optional(),
  policies: z.string().min(1).optional(),
};

interface FileSettings {
  readonly clearance?: ClearanceSettings | undefined;
  readonly policies?: string | undefined;
}

/** Only what is set. */
export function clearanceConfig({ clearance, policies }: FileSettings): ClearanceConfig {
  return defined({ clearance, policies });
}

/** The policies in force, as the first record of a run names them. */
export interface RunPolicies {
  readonly sha256: string;
  readonly texts: readonly string[];
}

/** What a run takes from the settings. */
export interface RunSettings {
  readonly clearance?: ClearanceSettings | undefined;
  readonly policies: RunPolicies;
}

export function runSettings(
  { clearance }: ClearanceConfig,
  policies: readonly PolicyFile[],
): RunSettings {
  const texts = policies.map(({ text }) => text);
  return { clearance, policies: { sha256: policySetHash(policies), texts } };
}
