/**
 * A tensor as the body of a frame: its shape, then its elements as they lie in
 * memory. Reading copies the elements, because the frame's memory is reused.
 *
 * Invariants
 *   T1. A tensor is accepted only if its shape explains its length to the byte;
 *       nothing is allocated before.
 */
import { endianness } from 'node:os';
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { copyBytes } from './copy-bytes.ts';
import { corruptFrame } from './corrupt-frame.ts';
import {
  dimensionBytes,
  dimensionsOffset,
  elementAlignment,
  frameHeaderBytes,
  rankOffset,
  reservedOffset,
  tensorHeadBytes,
} from './frame-descriptor.ts';
import { dtypes, elementsAt, Tensor, tryTensorBytes } from './tensor.ts';

assert(endianness() === 'LE', 'elements travel as they lie in memory, which is little-endian');
assert(frameHeaderBytes % elementAlignment === 0, 'the body of a frame begins aligned');

export function tensorBodyBytes(tensor: Tensor): number {
  return tensorHeadBytes(tensor.shape.length) + tensor.byteLength;
}

/** Writes the body at `offset`; the caller has made `tensorBodyBytes` of room. */
export function writeTensorBody(
  { dtype, shape, data }: Tensor,
  bytes: Buffer,
  offset: number,
): void {
  bytes[offset] = dtypes.indexOf(dtype);
  bytes[offset + rankOffset] = shape.length;
  bytes.writeUInt16LE(0, offset + reservedOffset);
  const dimensionsEnd = writeShape(shape, bytes, offset + dimensionsOffset);
  const elements = offset + tensorHeadBytes(shape.length);
  bytes.fill(0, dimensionsEnd, elements);
  const source = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  copyBytes(source, bytes, elements);
}

function writeShape(shape: readonly number[], bytes: Buffer, offset: number): number {
  let at = offset;
  for (const dimension of shape) {
    at = bytes.writeUInt32LE(dimension, at);
  }
  return at;
}

/**
 * The tensor whose body has exactly `lengthBytes` at `offset`.
 * @throws RuntimeError BUS_FRAME_CORRUPT
 */
export function readTensorBody(bytes: Buffer, offset: number, lengthBytes: number): Tensor {
  if (lengthBytes < dimensionsOffset) throw corruptFrame('a tensor without a shape');
  const dtype = dtypes[bytes[offset] ?? dtypes.length];
  if (dtype === undefined) throw corruptFrame('a tensor of an unknown element type');
  const rank = bytes[offset + rankOffset] ?? 0;
  if (rank > limits.tensorRankMax) throw corruptFrame('a tensor of too many dimensions');
  const headBytes = tensorHeadBytes(rank);
  if (lengthBytes < headBytes) throw corruptFrame('a tensor without a whole shape');
  const dimensionsEnd = dimensionsOffset + rank * dimensionBytes;
  if (
    bytes.readUInt16LE(offset + reservedOffset) !== 0 ||
    (dimensionsEnd < headBytes && bytes.readUInt32LE(offset + dimensionsEnd) !== 0)
  ) {
    throw corruptFrame('a tensor with bytes where none belong');
  }
  const shape: number[] = [];
  for (let at = dimensionsOffset; at < dimensionsEnd; at += dimensionBytes) {
    shape.push(bytes.readUInt32LE(offset + at));
  }
  const elementsBytes = lengthBytes - headBytes;
  if (tryTensorBytes(dtype, shape) !== elementsBytes) {
    throw corruptFrame('a tensor whose shape does not explain its length'); // (T1)
  }
  const memory = new ArrayBuffer(elementsBytes);
  bytes.copy(Buffer.from(memory), 0, offset + headBytes, offset + lengthBytes);
  return new Tensor(
    dtype,
    shape,
    elementsAt(dtype, memory, { offset: 0, lengthBytes: elementsBytes }),
  );
}
