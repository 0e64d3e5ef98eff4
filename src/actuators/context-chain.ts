/** A context as the journal has it, node by node. */
import { type ContextNode, decodeContext } from '../actors/context-node.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';

/**
 * The nodes that make up a context, the oldest first.
 * @throws RuntimeError BLOB_MISSING, CONTEXT_TOO_LONG
 */
export function readContextChain(
  head: Sha256,
  lookup: (hash: Sha256) => Buffer | null,
): ContextNode[] {
  const nodes: ContextNode[] = [];
  for (let next: Sha256 | null = head; next !== null; ) {
    if (nodes.length >= limits.chatMessagesMax) {
      throw new RuntimeError(
        'CONTEXT_TOO_LONG',
        `A context has at most ${limits.chatMessagesMax} nodes.`,
      );
    }
    const node = decodeContext(textOf(next, lookup), lookup);
    nodes.push(node);
    next = node.parent;
  }
  return nodes.reverse();
}

function textOf(hash: Sha256, lookup: (hash: Sha256) => Buffer | null): string {
  const bytes = lookup(hash);
  if (bytes === null || sha256(bytes) !== hash) {
    const problem = bytes === null ? 'is not in the journal' : 'is damaged';
    throw new RuntimeError(
      'BLOB_MISSING',
      `The context ${hash} ${problem}; restore the data directory from a copy.`,
      { details: { hash } },
    );
  }
  return bytes.toString('utf8');
}
