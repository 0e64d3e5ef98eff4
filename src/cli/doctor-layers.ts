/**
 * What `claw doctor` says of the layers of the sandbox: a line for each,
 * whether it works on this host, and what is done where it does not.
 */
import type { RuntimeConfig } from '../runtime/config.ts';
import { sandboxPoolSettings } from '../runtime/sandbox-config.ts';
import { type LayerName, type LayerStates, layerNames } from '../sandbox/layers/layer.ts';
import { type Finding, ok, warning } from './finding.ts';

export function layerFindings(states: LayerStates, config: RuntimeConfig): Finding[] {
  const { policy } = sandboxPoolSettings(config.sandbox);
  const findings = layerNames.map((name): Finding => {
    const state = states[name];
    const check = checkName(name);
    if (state.works) return ok(check, `${state.detail} Policy: ${policy[name]}.`);
    const what = `Does not work here: ${state.reason}. ${state.remedy}`;
    return policy[name] === 'require'
      ? {
          check,
          status: 'failed',
          detail: `${what} It is required, so every script is refused.`,
          code: 'SANDBOX_LAYER_MISSING',
        }
      : warning(check, `${what} Scripts run without it, and their outcomes say so.`);
  });
  return [...findings, connectFilter(states.bubblewrap.works)];
}

function checkName(layer: LayerName): string {
  return `layer ${layer}`;
}

/** Said because one might look for it: where there are namespaces it would have nothing to filter. */
function connectFilter(hasNamespaces: boolean): Finding {
  const check = 'layer connect filter';
  return hasNamespaces
    ? ok(check, 'An eBPF connect filter is not built: the network namespace has nothing to reach.')
    : warning(
        check,
        'An eBPF connect filter is not built, and without bubblewrap only Node.js itself keeps scripts off the network; install bubblewrap.',
      );
}
