/**
 * Contexts that were asked on lately, so that a turn brings its own items only.
 *
 * Invariants
 *   X1. A node is known by the hash that was computed of it here, whoever sent it.
 *   X2. Memory is bounded; the nodes that were used longest ago go first. What
 *       is forgotten is asked for again, by CONTEXT_UNKNOWN.
 */
import { type ContextItem, type ContextNode, encodeContext } from '../actors/context-node.ts';
import { RuntimeError } from '../kernel/errors.ts';
import type { Sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import { contextMessages } from './context-messages.ts';
import type { ChatMessage } from './model-port.ts';

interface Known {
  readonly node: ContextNode;
  readonly bytes: number;
}

export class ContextCache {
  readonly #nodes = new Map<Sha256, Known>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number = limits.contextCacheBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of the texts that are remembered. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The whole prompt of the last node of a chain, which is remembered.
   * @throws RuntimeError CONTEXT_UNKNOWN when a node before the chain is not known;
   *   CONTEXT_TOO_LONG
   */
  messages(chain: readonly ContextNode[]): ChatMessage[] {
    const [first] = chain;
    const known = this.#before(first?.parent ?? null);
    const items = [...known, ...chain.flatMap((node) => node.items)];
    for (const node of chain) this.#remember(node);
    this.#forgetOldest();
    const messages = contextMessages(items);
    const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
    if (messages.length > limits.chatMessagesMax || characters > limits.contextCharactersMax) {
      throw tooLong();
    }
    return messages;
  }

  #before(hash: Sha256 | null): ContextItem[] {
    const nodes: ContextNode[] = [];
    for (let next = hash; next !== null; ) {
      const known = this.#nodes.get(next);
      if (known === undefined) throw unknown(hash as Sha256);
      // A map keeps the order of insertion: what is used becomes the youngest.
      this.#nodes.delete(next);
      this.#nodes.set(next, known);
      nodes.push(known.node);
      next = known.node.parent;
    }
    return nodes.reverse().flatMap((node) => node.items);
  }

  #remember(node: ContextNode): void {
    if (node.items.length === 0) return;
    const { hash, text, texts } = encodeContext(node); // (X1)
    if (this.#nodes.has(hash)) return;
    const bytes = [...texts.values()].reduce((sum, { length }) => sum + length, text.length);
    this.#nodes.set(hash, { node, bytes });
    this.#bytes += bytes;
  }

  /** (X2) */
  #forgetOldest(): void {
    for (const [hash, { bytes }] of this.#nodes) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#nodes.delete(hash);
      this.#bytes -= bytes;
    }
  }
}

function unknown(hash: Sha256): RuntimeError {
  return new RuntimeError(
    'CONTEXT_UNKNOWN',
    `The context ${hash} is not remembered; ask again with all of it.`,
    { details: { hash } },
  );
}

function tooLong(): RuntimeError {
  return new RuntimeError(
    'CONTEXT_TOO_LONG',
    `A conversation has at most ${limits.chatMessagesMax} messages with ${limits.contextCharactersMax} characters; give the agent fewer turns, or tools that tell less.`,
  );
}
