/**
 * Goal: a layer that this host allows is found. Method: the host is asked in
 * another way than the runtime asks it, so that a layer that the runtime breaks
 * itself is not taken for one that the host lacks.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findBubblewrap } from '../../../src/sandbox/layers/bubblewrap.ts';
import { cgroupTrees } from '../../../src/sandbox/layers/cgroup.ts';
import { hostLayers } from '../../../src/sandbox/layers/host-layers.ts';

const { states, inUse } = await hostLayers();

/** Whether bubblewrap can unshare everything around a program of the host. */
function allowsNamespaces(): boolean {
  const words = ['--unshare-all', '--ro-bind', '/', '/', process.execPath, '--version'];
  return spawnSync('bwrap', words).status === 0;
}

test('bubblewrap and the filter work where the host lets it unshare everything', () => {
  const allowed = allowsNamespaces();
  expect(states.bubblewrap.works).toBe(allowed);
  expect(states.seccomp.works).toBe(allowed && ['x64', 'arm64'].includes(process.arch));
  expect(inUse('script').bubblewrap !== null).toBe(allowed);
});

test('control groups of version 1 work where folders can be made in both trees', async () => {
  const trees = (await cgroupTrees()).filter(({ version }) => version === 1);
  const allowed = trees.some(({ memory, pids }) => {
    try {
      for (const folder of [memory, pids].map((parent) => join(parent, 'openclaw-test'))) {
        mkdirSync(folder);
        rmdirSync(folder);
      }
      return true;
    } catch {
      return false;
    }
  });
  expect(states.cgroup.works || !allowed).toBe(true);
});

test('what does not work says why and what would help', () => {
  for (const state of Object.values(states)) {
    if (state.works) expect(state.detail).not.toBe('');
    else expect([state.reason, state.remedy]).not.toContain('');
  }
});

test('bubblewrap is looked for in absolute folders of the path alone', () => {
  // A relative folder would be whatever the working directory holds.
  const found = findBubblewrap('bin:.:relative');
  expect(found === null || found.startsWith('/')).toBe(true);
});
