/**
 * Which texts a record names. A run that begins names its documents by hash
 * alone: their actors read them later, in this run or in a fork of it.
 */
import { z } from 'zod';
import type { Sha256 } from '../kernel/hash.ts';
import type { Json } from '../kernel/json.ts';
import { blobReferences } from './blob-store.ts';
import type { RecordType, StoredRecord } from './record.ts';

const naming = new Set<RecordType>(['event', 'snapshot', 'run-started', 'run-ended']);

const runStartedSchema = z.object({
  documents: z.array(
    z.object({
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .transform((hash) => hash as Sha256),
    }),
  ),
});

/** Each once, in the order of the body. */
export function namedTexts({
  type,
  body,
}: Pick<StoredRecord, 'type' | 'body'>): ReadonlySet<Sha256> {
  if (!naming.has(type) || body.length === 0) return new Set();
  const value = JSON.parse(body.toString('utf8')) as Json;
  const named = new Set(blobReferences(value));
  if (type !== 'run-started') return named;
  const { data: started } = runStartedSchema.safeParse(value);
  for (const { sha256 } of started?.documents ?? []) named.add(sha256);
  return named;
}
