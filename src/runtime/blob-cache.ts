/** Texts that a fold meets again and again, such as its definition, read and decoded once. */
import type { TextLookup } from '../journal/blob-store.ts';
import type { Sha256 } from '../kernel/hash.ts';
import type { BlobLookup } from './event-record.ts';

const textsMax = 64;
const blobBytesMax = 64 * 1024;

/** A lookup that keeps what it found, up to 64 blobs of up to 64 KiB as text, as long as it is itself kept. */
export function cachedTexts(blobs: BlobLookup): TextLookup {
  const known = new Map<Sha256, string>();
  return (hash) => {
    const cached = known.get(hash);
    if (cached !== undefined) return cached;
    const content = blobs(hash);
    if (content === null || content.length > blobBytesMax) return content;
    if (known.size >= textsMax) known.clear();
    const text = content.toString('utf8');
    known.set(hash, text);
    return text;
  };
}
