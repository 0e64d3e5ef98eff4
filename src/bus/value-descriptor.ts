/**
 * How a value lies in bytes. All numbers are little-endian, and every value
 * begins with a tag:
 *
 *   tag          then                                        value
 *   0            nothing                                     null
 *   1            nothing                                     undefined
 *   2, 3         nothing                                     false, true
 *   4            int32                                       whole number
 *   5            float64                                     any number
 *   6            sign uint8, length uint32, hexadecimal      big integer
 *   7            float64                                     date, ms since the epoch
 *   8            length uint32, ASCII                        text
 *   9            length uint32, UTF-8                        text
 *   10           length uint32, UTF-16                       text with half of a surrogate pair
 *   11           length uint32, bytes                        Uint8Array
 *   12           type uint8, length uint32, elements         other typed array
 *   13           count uint32, values                        array
 *   14           shape, one value for each key               object with keys like names
 *   15           count uint32, text and value for each key   any other object
 *   0x40 + n     n bytes of ASCII, n up to 63                text
 *   0x80 + n     nothing, n up to 127                        whole number
 *
 * A shape is the list of an object's keys. It is in every message, so that a
 * message can be decoded alone, but as one run of bytes that a reader knows
 * again without looking at the keys:
 *
 *   byte 0       1                3             7
 *   ┌───────────┬────────────────┬─────────────┬──────────────────────────────┐
 *   │ keys uint8│ length of keys │ hash of keys│ for each key its length uint8│
 *   │           │ uint16         │ uint32      │ and ASCII; zero up to 4 bytes│
 *   └───────────┴────────────────┴─────────────┴──────────────────────────────┘
 *
 * The hash is a hint where to look; equal bytes decide.
 */

export const tags = {
  null: 0,
  undefined: 1,
  false: 2,
  true: 3,
  int32: 4,
  float64: 5,
  bigInteger: 6,
  date: 7,
  ascii: 8,
  utf8: 9,
  utf16: 10,
  bytes: 11,
  elements: 12,
  array: 13,
  record: 14,
  map: 15,
  shortText: 0x40,
  smallInteger: 0x80,
} as const;

/** Longest text whose length is in its tag. */
export const shortTextMax = 63;
/** Largest whole number that is its tag. */
export const smallIntegerMax = 127;

/** Offsets inside a shape, and where its keys begin. */
export const shapeLengthOffset = 1;
export const shapeHashOffset = 3;
export const shapeKeysOffset = 7;

/** Objects with more keys, or longer ones, are maps: they are no records of a program. */
export const shapeKeysMax = 32;
const shapeKeyCharactersMax = 40;

/** Keys are padded to a multiple of this, so that they are compared as words. */
export const shapeAlignment = 4;

const namePattern = /^[A-Za-z_$][\w$]*$/;

/** Whether a key may be in a shape. `__proto__` may not: in a literal it is no key. */
export function isShapeKey(key: string): boolean {
  return key.length <= shapeKeyCharactersMax && namePattern.test(key) && key !== '__proto__';
}

/** Element types of typed arrays; their position is their code on the wire: append only. */
export const elementArrays = [
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;
