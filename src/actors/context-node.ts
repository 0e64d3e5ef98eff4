/**
 * A context of a conversation: what came before, by hash, and what was
 * appended. The whole is the chain of its nodes, so a turn costs its own items
 * and nothing of the past (law D6). Pure.
 *
 * Invariants
 *   N1. The hash is SHA-256 of the text, which is canonical JSON with its long
 *       texts as references: equal contexts have equal hashes.
 *   N2. Nothing appended to a context is the context itself.
 */
import { blobReferences, externalize, internalize } from '../journal/blob-store.ts';
import { assert } from '../kernel/assert.ts';
import { canonicalJson, type Sha256, sha256 } from '../kernel/hash.ts';
import type { Json } from '../kernel/json.ts';
import type { Cut } from './context-window.ts';
import type { ActIntention } from './intention.ts';

export type ContextItem =
  | {
      readonly role: 'system' | 'user' | 'assistant';
      readonly content: string;
      /** An objective that the pipeline pins. */
      readonly pin?: true;
    }
  /** What a call of a tool came to. */
  | { readonly role: 'tool'; readonly tool: string; readonly content: Json };

export interface ContextNode {
  readonly parent: Sha256 | null;
  readonly items: readonly ContextItem[];
  /** Of a context that begins anew because the one before had become too large. */
  readonly cut?: Cut;
}

/** A node as the journal keeps it. */
export interface EncodedContext {
  readonly hash: Sha256;
  /** The content of the node's blob. */
  readonly text: string;
  /** The long texts that it refers to. */
  readonly texts: ReadonlyMap<Sha256, Buffer>;
}

/** @param node with items: what has none is its parent (N2). */
export function encodeContext({ parent, items, cut }: ContextNode): EncodedContext {
  assert(items.length > 0, 'a node appends something (N2)');
  const node = { parent, items, ...(cut === undefined ? {} : { cut }) };
  const { value, blobs } = externalize(node as unknown as Json);
  const text = canonicalJson(value);
  return { hash: sha256(text), text, texts: blobs }; // (N1)
}

/** Hash of the context that a node makes of its parent. */
export function contextHash(node: ContextNode): Sha256 {
  if (node.items.length > 0) return encodeContext(node).hash;
  assert(node.parent !== null, 'nothing appended to nothing is no context');
  return node.parent; // (N2)
}

/**
 * The node of a text that `encodeContext` made.
 * @throws RuntimeError BLOB_MISSING when the lookup lacks one of its texts.
 */
export function decodeContext(text: string, lookup: (hash: Sha256) => Buffer | null): ContextNode {
  return internalize(JSON.parse(text) as Json, lookup) as unknown as ContextNode;
}

/** The context that an intention asks on, where it appends something; null for any other. */
export function appendedContext({ actuator, operation, ...act }: ActIntention): ContextNode | null {
  if (actuator !== 'inference' || operation !== 'generate') return null;
  const node = act.arguments.context as unknown as ContextNode | undefined;
  return node === undefined || node.items.length === 0 ? null : node;
}

/** Hashes of the long texts that an encoded node refers to, each once. */
export function contextTexts(text: string): readonly Sha256[] {
  return [...new Set(blobReferences(JSON.parse(text) as Json))];
}
