import { expect, test } from 'vitest';
import type { AuditEvent } from '../../src/identity/audit-event.ts';
import { auditedLayers } from '../../src/runtime/actuator-worker/layer-audit.ts';
import { layerNames } from '../../src/sandbox/layers/layer.ts';
import type { SandboxOutcome } from '../../src/sandbox/sandbox-outcome.ts';

const usage = { wallMs: 0, cpuMs: 0, memoryMb: 0 };

test('the audit says which layers held, before their first outcome and at every change', async () => {
  const events: AuditEvent[] = [];
  let layers: SandboxOutcome['layers'] = [...layerNames];
  const runner = auditedLayers(
    { execute: async (_execution: { language?: string }) => ({ ok: true, usage, layers }) },
    async (event) => events.push(event),
  );
  await runner.execute({});
  await runner.execute({ language: 'ts' });
  expect(events).toEqual([
    { type: 'sandbox-layers', runs: 'isolate', layers: [...layerNames], missing: [] },
  ]);
  layers = ['permission'];
  await runner.execute({});
  expect(events[1]).toEqual({
    type: 'sandbox-layers',
    runs: 'isolate',
    layers: ['permission'],
    missing: ['bubblewrap', 'seccomp', 'cgroup'],
  });
  layers = [];
  await runner.execute({});
  expect(events).toHaveLength(2);
  layers = ['bubblewrap', 'seccomp'];
  await runner.execute({ language: 'py' });
  expect(events[2]).toMatchObject({ runs: 'script', layers: ['bubblewrap', 'seccomp'] });
  layers = [...layerNames];
  await runner.execute({});
  expect(events[3]).toMatchObject({ runs: 'isolate', missing: [] });
});
