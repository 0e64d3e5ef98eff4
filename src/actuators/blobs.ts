/** Texts that events name by their hash, brought to an actor that asks for them. */
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import { type Actuator, operation } from './actuator.ts';
import { operationArguments } from './operation-arguments.ts';

/** Whoever keeps blobs: null for one it does not have. */
export interface BlobLookup {
  /** A text that a record of the run may name. */
  lookup(run: RunId, hash: Sha256): Buffer | null;
}

export function blobsActuator(blobs: BlobLookup): Actuator {
  return {
    name: 'blobs',
    // Reading takes no time to wait for, so nothing queues here.
    concurrency: limits.registeredKeysMax,
    operations: {
      read: operation({
        effect: 'pure',
        arguments: operationArguments['blobs.read'],
        result: z.strictObject({ texts: z.record(z.string(), z.string()) }),
        async perform({ hashes }, { run }) {
          const texts: Record<string, string> = {};
          for (const hash of hashes) texts[hash] = readBlob(blobs, run, hash as Sha256);
          return { texts };
        },
      }),
    },
  };
}

function readBlob(blobs: BlobLookup, run: RunId, hash: Sha256): string {
  const bytes = blobs.lookup(run, hash);
  if (bytes === null) {
    throw new RuntimeError('BLOB_MISSING', `The blob ${hash} is not in the journal.`);
  }
  // Checked at the writer too; a blob that changed since must not become somebody's memory.
  if (sha256(bytes) !== hash) {
    throw new RuntimeError('BLOB_MISSING', `The blob ${hash} is damaged.`);
  }
  return bytes.toString('utf8');
}
