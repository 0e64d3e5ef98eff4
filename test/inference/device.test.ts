import { describe, expect, it } from 'vitest';
import { declaredDevice, visibleGpu } from '../../src/inference/device.ts';

describe('a device', () => {
  it('is known before a model is loaded where its owner names one', () => {
    const devices = (['auto', 'cpu', 'gpu', 'gpu:3'] as const).map(declaredDevice);
    expect(devices).toEqual([null, 'cpu', 'gpu', 'gpu']);
  });

  it('that is one of several is the only one that its process sees', () => {
    expect(visibleGpu('gpu:12')).toEqual({
      CUDA_VISIBLE_DEVICES: '12',
      HIP_VISIBLE_DEVICES: '12',
      GGML_VK_VISIBLE_DEVICES: '12',
    });
    expect((['auto', 'cpu', 'gpu'] as const).map(visibleGpu)).toEqual([{}, {}, {}]);
  });
});
