/**
 * A tensor: elements of one type in row-major order, and the shape that they
 * have. The same meaning holds in a frame, in the arena and in memory, so
 * nothing is converted on the way.
 *
 * Invariants
 *   T1. Every dimension is a whole number from 0 to 2^32 − 1, there are at
 *       most `limits.tensorRankMax` of them, and their product times the size
 *       of an element is a safe integer.
 *   T2. `data` has exactly as many elements as the shape says.
 */
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';

/**
 * How each element type is read. JavaScript has no brain floats: `bf16` is the
 * raw 16 bits of each element, which are the upper half of the same number as
 * a 32-bit float.
 */
const elementArrays = {
  f32: Float32Array,
  f16: Float16Array,
  bf16: Uint16Array,
  i8: Int8Array,
  u8: Uint8Array,
  i32: Int32Array,
} as const;

export type Dtype = keyof typeof elementArrays;

/** All element types. Their order is their code on the wire: append only. */
export const dtypes: readonly Dtype[] = ['f32', 'f16', 'bf16', 'i8', 'u8', 'i32'];

/** Elements of a tensor; `Elements<'f32'>` is a Float32Array. */
export type Elements<D extends Dtype = Dtype> = InstanceType<(typeof elementArrays)[D]>;

const dimensionMax = 2 ** 32 - 1;

/** Size of one element, in bytes. */
export function elementBytes(dtype: Dtype): number {
  return elementArrays[dtype].BYTES_PER_ELEMENT;
}

/**
 * Bytes of a tensor, or null when `shape` is not the shape of one (T1). It
 * takes whatever a hostile sender claims.
 */
export function tryTensorBytes(dtype: Dtype, shape: readonly number[]): number | null {
  if (shape.length > limits.tensorRankMax) return null;
  let bytes = elementBytes(dtype);
  for (const dimension of shape) {
    if (!Number.isInteger(dimension) || dimension < 0 || dimension > dimensionMax) return null;
    bytes *= dimension;
    // A product that stays safe at every step is exact; once unsafe, a later zero must not hide it.
    if (!Number.isSafeInteger(bytes)) return null;
  }
  return bytes;
}

/**
 * The elements that lie in `memory` from byte `offset` on, without a copy.
 * `offset` is a multiple of the element's size and the caller has checked that
 * the range lies inside.
 */
export function elementsAt<D extends Dtype>(
  dtype: D,
  memory: ArrayBufferLike,
  range: { readonly offset: number; readonly lengthBytes: number },
): Elements<D> {
  const View: new (memory: ArrayBufferLike, offset: number, length: number) => unknown =
    elementArrays[dtype];
  return new View(memory, range.offset, range.lengthBytes / elementBytes(dtype)) as Elements<D>;
}

export class Tensor<D extends Dtype = Dtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: Elements<D>;

  constructor(dtype: D, shape: readonly number[], data: Elements<D>) {
    const bytes = tryTensorBytes(dtype, shape); // (T1)
    assert(bytes !== null, `not the shape of a tensor: ${dtype} [${shape.join(', ')}]`);
    assert(data instanceof elementArrays[dtype], `the elements of the tensor are not ${dtype}`);
    assert(data.byteLength === bytes, 'a tensor has as many elements as its shape says'); // (T2)
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }

  get byteLength(): number {
    return this.data.byteLength;
  }
}
