/**
 * One input file as documents: its text, checked to be text, and split where
 * it is longer than the pipeline wants.
 */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { TextRange } from '../actors/event.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import { limits } from '../kernel/limits.ts';
import { readFileBounded } from './document-file.ts';
import { isInside } from './path-inside.ts';
import { splitText } from './split-text.ts';

/** A document of a run, or a part of one. */
export interface InputDocument {
  /** Name of the file in the input folder. */
  readonly name: string;
  /** Of the whole file. */
  readonly sha256: Sha256;
  /** Of the whole file. */
  readonly bytes: number;
  readonly text: string;
  /** Which part of the file the text is; `index` from 1. Null for a whole file. */
  readonly part: { readonly index: number; readonly count: number } | null;
  /** Where the part stands in the file; only of a part. */
  readonly range?: TextRange;
}

/** Largest file; one that is split may be larger than a document. */
export function documentBytesMax(isSplit: boolean): number {
  return isSplit ? limits.splitDocumentBytesMax : limits.documentBytesMax;
}

/**
 * @throws RuntimeError DOCUMENT_NOT_TEXT, DOCUMENT_TOO_LARGE or INPUT_NOT_FOUND,
 * naming the file.
 */
export function readDocument(
  folder: string,
  name: string,
  splitCharactersMax: number | null,
): InputDocument[] {
  const bytesMax = documentBytesMax(splitCharactersMax !== null);
  const bytes = readFileBounded(resolveInside(folder, name), bytesMax);
  const text = decodeText(bytes, join(folder, name));
  const file = { name, sha256: sha256(bytes), bytes: bytes.length };
  const parts = splitCharactersMax === null ? [] : splitText(text, splitCharactersMax);
  if (parts.length <= 1) return [{ ...file, text, part: null }];
  return parts.map(({ text: part, ...range }, position) => ({
    ...file,
    text: part,
    part: { index: position + 1, count: parts.length },
    range,
  }));
}

/** The folder was looked at earlier; a link may have come between. */
function resolveInside(folder: string, name: string): string {
  const path = join(folder, name);
  try {
    const resolved = realpathSync.native(path);
    if (isInside(folder, resolved)) return resolved;
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new RuntimeError('INPUT_NOT_FOUND', `The file ${path} cannot be read (${reason}).`, {
      cause,
    });
  }
  throw new RuntimeError('INPUT_NOT_FOUND', `${path} leads out of the input folder; leave it out.`);
}

function decodeText(bytes: Buffer, path: string): string {
  let problem = 'has a NUL byte';
  if (!bytes.includes(0)) {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      problem = 'is not UTF-8';
    }
  }
  throw new RuntimeError(
    'DOCUMENT_NOT_TEXT',
    `The document ${path} ${problem}, so it is not text; convert it or leave it out.`,
  );
}
