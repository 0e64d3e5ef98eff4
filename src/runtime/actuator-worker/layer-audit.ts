/**
 * Journals which layers held the processes of scripts: at the first one, and
 * whenever it is another set, so that the audit says of every execution what
 * it ran in.
 */
import type { AuditEvent } from '../../identity/audit-event.ts';
import { layerNames } from '../../sandbox/layers/layer.ts';
import type { SandboxOutcome } from '../../sandbox/sandbox-outcome.ts';

/** Whoever runs scripts, in whatever form. */
interface Runner<Execution> {
  execute(execution: Execution): Promise<SandboxOutcome>;
}

/**
 * The same runner. An outcome is told only once the audit knows its layers.
 * @param record Journals an event; resolves once it is durable.
 */
export function auditedLayers<Execution extends { readonly language?: string | undefined }>(
  runner: Runner<Execution>,
  record: (event: AuditEvent) => Promise<unknown>,
): Runner<Execution> {
  const last = new Map<string, string>();
  return {
    async execute(execution) {
      const outcome = await runner.execute(execution);
      const { layers } = outcome;
      const text = layers.join(' ');
      const runs = kindOf(execution);
      // Without a process there was nothing to hold.
      if (layers.length === 0 || text === last.get(runs)) return outcome;
      last.set(runs, text);
      const missing = layerNames.filter((name) => !layers.includes(name));
      await record({ type: 'sandbox-layers', runs, layers: [...layers], missing });
      return outcome;
    },
  };
}

/** Isolates and programs of the host have different layers to begin with. */
function kindOf({ language }: { readonly language?: string | undefined }): 'isolate' | 'script' {
  return language === undefined || language === 'js' || language === 'ts' ? 'isolate' : 'script';
}
