import { describe, expect, it } from 'vitest';
import { dtypes, elementBytes, elementsAt, Tensor, tryTensorBytes } from '../../src/bus/tensor.ts';

describe('a tensor', () => {
  it('has as many bytes as its elements', () => {
    expect(dtypes.map(elementBytes)).toEqual([4, 2, 2, 1, 1, 4]);
    expect(tryTensorBytes('f32', [2, 3])).toBe(24);
    expect(tryTensorBytes('bf16', [])).toBe(2);
    expect(tryTensorBytes('i8', [5, 0, 7])).toBe(0);
  });

  it.each([
    ['a negative dimension', [-1]],
    ['a fraction', [1.5]],
    ['no number', [Number.NaN]],
    ['a dimension beyond 32 bits', [2 ** 32]],
    ['six dimensions', [1, 1, 1, 1, 1, 1]],
    ['a product that is not exact', [2 ** 31, 2 ** 31]],
    ['a product that a zero would hide', [2 ** 31, 2 ** 31, 0]],
  ])('has no %s', (_name, shape) => {
    expect(tryTensorBytes('f32', shape)).toBeNull();
    expect(() => new Tensor('f32', shape, new Float32Array(0))).toThrowError('not the shape');
  });

  it('has the elements that its type and shape say', () => {
    expect(() => new Tensor('f32', [3], new Float32Array(2))).toThrowError('as many elements');
    expect(() => new Tensor('f32', [2], new Int32Array(2) as never)).toThrowError('are not f32');
    expect(new Tensor('f16', [2, 2], new Float16Array(4)).byteLength).toBe(8);
  });

  it('is seen in place', () => {
    const memory = new ArrayBuffer(16);
    const view = elementsAt('i32', memory, { offset: 8, lengthBytes: 8 });
    view[1] = 7;
    expect(new Int32Array(memory)[3]).toBe(7);
    expect(view.length).toBe(2);
  });
});
