/**
 * The layers that stand between a sandbox process and the host, and what is
 * asked of each.
 *
 * Invariants
 *   L1. A layer that is missing is never passed over in silence: with `require`
 *       every execution is refused, with `degrade` its outcome says which
 *       layers were in force.
 */

/** In the order in which they are listed everywhere. */
export const layerNames = ['bubblewrap', 'seccomp', 'cgroup', 'permission'] as const;
export type LayerName = (typeof layerNames)[number];

/** What is done where a layer is missing: refuse every execution, or go on without it and say so. */
export const layerDemands = ['require', 'degrade'] as const;
export type LayerDemand = (typeof layerDemands)[number];

export type LayerPolicy = Readonly<Record<LayerName, LayerDemand>>;

/**
 * Node's own permission model is there on every host, so nothing is lost by requiring it. The
 * others depend on the host's kernel and packages (ADR 48).
 */
export const layerPolicyDefault: LayerPolicy = {
  bubblewrap: 'degrade',
  seccomp: 'degrade',
  cgroup: 'degrade',
  permission: 'require',
};

/** Whether a layer works on this host; where not, why and what would help, in one sentence each. */
export type LayerState =
  | { readonly works: true; readonly detail: string }
  | { readonly works: false; readonly reason: string; readonly remedy: string };

export type LayerStates = Readonly<Record<LayerName, LayerState>>;

/** Layers that are required and do not work here, in their order (L1). */
export function missingLayers(policy: LayerPolicy, states: LayerStates): LayerName[] {
  return layerNames.filter((name) => policy[name] === 'require' && !states[name].works);
}

/** The sentence that a refused execution gets: which layers are missing, why, and what to do. */
export function missingLayersMessage(missing: readonly LayerName[], states: LayerStates): string {
  const reasons = missing.map((name) => {
    const state = states[name];
    return state.works ? name : `${name} (${state.reason})`;
  });
  const remedies = missing.map((name) => {
    const state = states[name];
    return state.works ? '' : state.remedy;
  });
  return `The policy requires layers of the sandbox that do not work here: ${reasons.join(', ')}. ${remedies.join(' ')} Or set sandbox.${missing[0]} to degrade in the configuration.`;
}
