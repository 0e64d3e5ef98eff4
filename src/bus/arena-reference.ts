/**
 * Names one lease of one payload in the arena, so that a frame can carry 32
 * bytes instead of the payload. All integers are little-endian.
 *
 *   byte 0      2       3              4         6              12
 *   ┌──────────┬───────┬──────────────┬─────────┬──────────────┬────────────────────┐
 *   │ slab     │ lease │ rank × 16    │ serial  │ generation   │ 5 dimensions       │
 *   │ uint16   │ uint8 │ + dtype uint8│ uint16  │ uint48       │ uint32 each        │
 *   └──────────┴───────┴──────────────┴─────────┴──────────────┴────────────────────┘
 *
 * Dimensions beyond the rank are 0. The length of the payload follows from
 * dtype and shape; plain bytes are a tensor of u8 with one dimension.
 *
 * Invariants
 *   E1. What is decoded is well-formed whatever the bytes were; whether it
 *       names a payload that is really there is for the arena to say.
 */
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { Dtype } from './tensor.ts';
import { dtypes, tryTensorBytes } from './tensor.ts';

const leaseOffset = 2;
const kindOffset = 3;
const serialOffset = 4;
const generationOffset = 6;
/** Its upper 32 bits. */
const generationHighOffset = 8;
const dimensionsOffset = 12;
const dimensionBytes = 4;

/** Size of an encoded reference. */
export const arenaReferenceBytes = dimensionsOffset + limits.tensorRankMax * dimensionBytes;

/** Last generation that a reference can name. */
export const generationMax = 2 ** 48 - 1;

interface ArenaReferenceFields {
  /** Number of the slab in the arena, 0 to 65,535. */
  readonly slab: number;
  /** Which use of the slab; always odd. */
  readonly generation: number;
  /** Number of the lease in the slab's row. */
  readonly lease: number;
  /** Which transfer of that lease, 0 to 65,535. */
  readonly serial: number;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Follows from dtype and shape. */
  readonly byteLength: number;
}

export class ArenaReference implements ArenaReferenceFields {
  readonly slab: number;
  readonly generation: number;
  readonly lease: number;
  readonly serial: number;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly byteLength: number;

  constructor(fields: ArenaReferenceFields) {
    this.slab = fields.slab;
    this.generation = fields.generation;
    this.lease = fields.lease;
    this.serial = fields.serial;
    this.dtype = fields.dtype;
    this.shape = fields.shape;
    this.byteLength = fields.byteLength;
  }
}

/** Writes the reference at `offset`; the caller has made `arenaReferenceBytes` of room. */
export function writeArenaReference(
  reference: ArenaReference,
  view: DataView,
  offset: number,
): void {
  const { shape, generation } = reference;
  assert(shape.length <= limits.tensorRankMax, 'a reference has room for every dimension');
  view.setUint16(offset, reference.slab, true);
  view.setUint8(offset + leaseOffset, reference.lease);
  view.setUint8(offset + kindOffset, (shape.length << 4) | dtypes.indexOf(reference.dtype));
  view.setUint16(offset + serialOffset, reference.serial, true);
  view.setUint16(offset + generationOffset, generation & 0xffff, true);
  view.setUint32(offset + generationHighOffset, Math.floor(generation / 0x1_0000), true);
  // A read beyond the end of an array costs more than all of this.
  for (let index = 0; index < limits.tensorRankMax; index += 1) {
    const dimension = index < shape.length ? (shape[index] ?? 0) : 0;
    view.setUint32(offset + dimensionsOffset + index * dimensionBytes, dimension, true);
  }
}

function damaged(what: string): RuntimeError {
  return new RuntimeError('BUS_FRAME_CORRUPT', `A frame's arena reference has ${what}.`);
}

/**
 * Reads the reference at `offset`; the caller has checked that
 * `arenaReferenceBytes` are there.
 * @throws RuntimeError BUS_FRAME_CORRUPT when it cannot be a reference (E1).
 */
export function readArenaReference(view: DataView, offset: number): ArenaReference {
  const kind = view.getUint8(offset + kindOffset);
  const rank = kind >> 4;
  const dtype = dtypes[kind & 0xf];
  if (dtype === undefined) throw damaged('an unknown element type');
  if (rank > limits.tensorRankMax) throw damaged('too many dimensions');
  const lease = view.getUint8(offset + leaseOffset);
  if (lease >= limits.arenaLeasesPerSlab) throw damaged('an impossible lease');
  const generation =
    view.getUint32(offset + generationHighOffset, true) * 0x1_0000 +
    view.getUint16(offset + generationOffset, true);
  if (generation % 2 === 0) throw damaged('an impossible generation');
  const shape: number[] = [];
  for (let index = 0; index < limits.tensorRankMax; index += 1) {
    const dimension = view.getUint32(offset + dimensionsOffset + index * dimensionBytes, true);
    if (index < rank) shape.push(dimension);
    else if (dimension !== 0) throw damaged('a dimension beyond its rank');
  }
  const byteLength = tryTensorBytes(dtype, shape);
  if (byteLength === null) throw damaged('an impossible shape');
  return new ArenaReference({
    slab: view.getUint16(offset, true),
    generation,
    lease,
    serial: view.getUint16(offset + serialOffset, true),
    dtype,
    shape,
    byteLength,
  });
}
