/** What works with a model file: the processor, or a GPU. */

/** auto: a GPU where there is one. gpu:N is the N-th of several, from 0, and needs a process of its own. */
export type Device = 'auto' | 'cpu' | 'gpu' | `gpu:${number}`;

/** Where it will work, as far as its owner says; null where only loading tells. */
export function declaredDevice(device: Device): 'cpu' | 'gpu' | null {
  if (device === 'auto') return null;
  return device === 'cpu' ? 'cpu' : 'gpu';
}

/** The variables by which CUDA, HIP and Vulkan let a process see one GPU alone; none but for gpu:N. */
export function visibleGpu(device: Device): Readonly<Record<string, string>> {
  const [, index] = device.split('gpu:');
  if (index === undefined) return {};
  return {
    CUDA_VISIBLE_DEVICES: index,
    HIP_VISIBLE_DEVICES: index,
    GGML_VK_VISIBLE_DEVICES: index,
  };
}
