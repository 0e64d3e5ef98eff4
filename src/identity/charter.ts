/**
 * What a run may be: the definitions whose prompts its agents are told, and its
 * documents, sealed by the authority when they came in at the door. An actor
 * takes in a definition only if the charter of its run has it.
 */
import { hashJson, sha256 } from '../kernel/hash.ts';
import type { RunId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import type { Authority, AuthorityVerifier } from './authority.ts';

export interface Charter {
  /** SHA-256 of each definition's text: its own first, then those of the runs that it goes on from. */
  readonly definitions: readonly string[];
  /** SHA-256 of the canonical list of its documents. */
  readonly documents: string;
  readonly signature: string;
}

/** What is sealed. */
export interface CharterMatter {
  readonly run: RunId;
  readonly definitions: readonly string[];
  readonly documents: string;
}

/** @param definitions texts @param documents their references, plain JSON */
export function charterMatter(
  run: RunId,
  definitions: readonly string[],
  documents: unknown,
): CharterMatter {
  return {
    run,
    definitions: definitions.map((text) => sha256(text)),
    documents: hashJson(documents),
  };
}

export function sealCharter(authority: Pick<Authority, 'seal'>, matter: CharterMatter): Charter {
  const { definitions, documents } = matter;
  return { definitions, documents, signature: authority.seal(statementOf(matter)) };
}

/** Whether the authority sealed this for this run. */
export function charterHolds(
  verifier: Pick<AuthorityVerifier, 'hasSealed'>,
  run: RunId,
  { definitions, documents, signature }: Charter,
): boolean {
  return verifier.hasSealed(statementOf({ run, definitions, documents }), signature);
}

function statementOf({ run, definitions, documents }: CharterMatter) {
  const statement: { readonly purpose: string; readonly [name: string]: Json } = {
    purpose: 'charter',
    run,
    definitions: [...definitions],
    documents,
  };
  return statement;
}
