/**
 * Which texts a record names. A run that begins names its documents and what
 * its files began with by hash alone: they are read later, in this run or in a fork of it.
 */
import { z } from 'zod';
import type { Sha256 } from '../kernel/hash.ts';
import type { Json } from '../kernel/json.ts';
import { blobReferences } from './blob-store.ts';
import type { RecordType, StoredRecord } from './record.ts';

const naming = new Set<RecordType>(['event', 'snapshot', 'run-started', 'run-ended']);

const hashSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((hash) => hash as Sha256);
const runStartedSchema = z.object({
  documents: z.array(z.object({ sha256: hashSchema })).catch([]),
  workspace: z.array(z.object({ texts: z.array(hashSchema).default([]) })).catch([]),
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
  const { documents = [], workspace = [] } = runStartedSchema.safeParse(value).data ?? {};
  for (const { sha256 } of documents) named.add(sha256);
  for (const { texts } of workspace) for (const hash of texts) named.add(hash);
  return named;
}
