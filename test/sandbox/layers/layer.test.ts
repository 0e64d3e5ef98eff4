import { expect, test } from 'vitest';
import {
  type LayerStates,
  layerPolicyDefault,
  missingLayers,
  missingLayersMessage,
} from '../../../src/sandbox/layers/layer.ts';
import { layersOf } from '../../../src/sandbox/layers/observed-layers.ts';

const works = { works: true, detail: '' } as const;
const broken = { works: false, reason: 'bwrap is not installed', remedy: 'Install it.' } as const;
const states: LayerStates = {
  bubblewrap: broken,
  seccomp: broken,
  cgroup: works,
  permission: works,
};

test('only what is required and does not work is missing', () => {
  expect(missingLayers(layerPolicyDefault, states)).toEqual([]);
  const policy = { ...layerPolicyDefault, bubblewrap: 'require', cgroup: 'require' } as const;
  expect(missingLayers(policy, states)).toEqual(['bubblewrap']);
});

test('the message names each missing layer, why, and what helps', () => {
  expect(missingLayersMessage(['bubblewrap'], states)).toBe(
    'The policy requires layers of the sandbox that do not work here: bubblewrap (bwrap is not installed). Install it. Or set sandbox.bubblewrap to degrade in the configuration.',
  );
});

const held = `Name:\tnode
NSpid:\t4711\t1
CapEff:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
`;

test('layers are those that the kernel tells of', () => {
  const groups = '8:pids:/a/openclaw-1-0-1\n4:memory:/a/openclaw-1-0-1\n';
  expect(layersOf(held, groups, 'openclaw-1-0-1')).toEqual(['bubblewrap', 'seccomp', 'cgroup']);
});

test.each([
  ['one PID namespace', held.replace('\t4711\t1', '\t4711'), ['seccomp']],
  ['capabilities', held.replace('0000000000000000', '00000000a80425fb'), ['seccomp']],
  ['new privileges', held.replace('NoNewPrivs:\t1', 'NoNewPrivs:\t0'), ['seccomp']],
  ['no filter', held.replace('Seccomp:\t2', 'Seccomp:\t0'), ['bubblewrap']],
  ['no such process', '', []],
])('a process with %s is not held by more than it is', (_name, status, layers) => {
  expect(layersOf(status, '8:pids:/b\n', 'openclaw-1-0-1')).toEqual(layers);
});
