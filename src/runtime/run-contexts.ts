/**
 * The contexts of a run: what its agents with turns asked on, found by the
 * events that name them and put together from the journal alone.
 */
import { decodeContext } from '../actors/context-node.ts';
import { readContextChain } from '../actuators/context-chain.ts';
import { contextMessages } from '../inference/context-messages.ts';
import { blobReferences } from '../journal/blob-store.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { Json } from '../kernel/json.ts';
import { type BlobLookup, type EventBody, rawBodyOf } from './event-record.ts';
import type { JournalFollower } from './journal-follower.ts';
import type { RunEntry } from './run-index.ts';
import type { ContextView, TranscriptView } from './views.ts';

/** The contexts that a run asked on, in the order in which it first did. */
export function runContexts(follower: JournalFollower, entry: RunEntry): ContextView[] {
  const found: ContextView[] = [];
  const blobs = follower.blobsOf(entry.id);
  const sequences = entry.events.keys().map((index) => index + 1);
  for (const { sequence, record } of follower.records(entry, sequences)) {
    const { actor, context } = rawBodyOf(record) as EventBody;
    if (context === undefined) continue;
    for (const hash of blobReferences(context.node as Json)) {
      const { parent, items } = nodeOf(blobs, hash);
      found.push({ hash, parent, actor, sequence, items: items.length });
    }
  }
  return found;
}

/**
 * A context as the model was asked on it.
 * @param hash of a context of this run, or enough of its beginning.
 * @throws RuntimeError CONTEXT_NOT_FOUND, BLOB_MISSING
 */
export function runTranscript(
  follower: JournalFollower,
  entry: RunEntry,
  hash: string,
): TranscriptView {
  const candidates = runContexts(follower, entry).filter((context) =>
    context.hash.startsWith(hash),
  );
  const [found] = candidates;
  if (found === undefined) throw notFound(entry, hash);
  if (new Set(candidates.map((context) => context.hash)).size > 1) {
    throw new RuntimeError(
      'CONTEXT_NOT_FOUND',
      `Several contexts of the run begin with ${hash}; give more of the hash.`,
    );
  }
  const chain = readContextChain(found.hash as Sha256, follower.blobsOf(entry.id));
  return { ...found, messages: contextMessages(chain.flatMap((node) => node.items)) };
}

function nodeOf(blobs: BlobLookup, hash: Sha256) {
  const text = blobs(hash);
  if (text === null) {
    throw new RuntimeError('BLOB_MISSING', `The journal has no context ${hash}.`);
  }
  // Its texts are not asked for: only what the node itself says is told.
  return decodeContext(text.toString('utf8'), () => Buffer.alloc(0));
}

function notFound(entry: RunEntry, hash: string): RuntimeError {
  return new RuntimeError(
    'CONTEXT_NOT_FOUND',
    `The run ${entry.id} has no context ${hash}; claw context ${entry.id} lists them.`,
  );
}
