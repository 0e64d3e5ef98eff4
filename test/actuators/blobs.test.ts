import { expect, test } from 'vitest';
import { blobsActuator } from '../../src/actuators/blobs.ts';
import { type Sha256, sha256 } from '../../src/kernel/hash.ts';
import { limits } from '../../src/kernel/limits.ts';
import { actuatorContext } from './actuator-context.ts';

const stored = new Map<Sha256, Buffer>();
const hash = (text: string): Sha256 => {
  stored.set(sha256(text), Buffer.from(text));
  return sha256(text);
};
const read = blobsActuator({ lookup: (_run, key) => stored.get(key) ?? null }).operations.read;

async function texts(hashes: unknown): Promise<unknown> {
  return read?.perform(read.arguments.parse({ hashes }), actuatorContext('/'));
}

test('gives the texts by their hashes', async () => {
  const [one, two] = [hash('eins'), hash('zwei ü')];
  expect(await texts([one, two, one])).toEqual({ texts: { [one]: 'eins', [two]: 'zwei ü' } });
  expect(await texts([])).toEqual({ texts: {} });
});

test('names a blob that is missing, and one whose bytes are not its own', async () => {
  const absent = sha256('never stored');
  await expect(texts([hash('x'), absent])).rejects.toMatchObject({
    code: 'BLOB_MISSING',
    message: `The blob ${absent} is not in the journal.`,
  });
  const damaged = hash('right');
  stored.set(damaged, Buffer.from('wrong'));
  await expect(texts([damaged])).rejects.toMatchObject({ code: 'BLOB_MISSING' });
});

test('takes a bounded number of real hashes', () => {
  const many = Array.from({ length: limits.blobsPerReadMax + 1 }, () => sha256(''));
  expect(read?.arguments.safeParse({ hashes: many }).success).toBe(false);
  for (const wrong of ['../x', 'A'.repeat(64), '0'.repeat(63), 5]) {
    expect(read?.arguments.safeParse({ hashes: [wrong] }).success).toBe(false);
  }
});
