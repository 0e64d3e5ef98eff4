/**
 * The documents of a run: which files of a folder a pipeline takes, and their
 * texts. Looking happens here, reading on the threads of the pool.
 *
 * Invariants
 *   N1. The order is that of the names' UTF-8 bytes, on every machine alike.
 *   N2. Nothing outside the folder is read; a link that leads out is no document.
 *   N3. One unreadable, binary or huge document refuses the run and is named:
 *       nothing is left out silently.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PipelineDefinition } from '../actors/pipeline-definition.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { documentBytesMax, type InputDocument } from './document-reader.ts';
import { isInside } from './path-inside.ts';
import type { CpuPool } from './pool/client.ts';

export type { InputDocument } from './document-reader.ts';

type InputDefinition = PipelineDefinition['input'];

/**
 * Names of the files that the pipeline takes, in order (N1).
 * @throws RuntimeError INPUT_NOT_FOUND, INPUT_EMPTY, TOO_MANY_DOCUMENTS or
 * DOCUMENT_TOO_LARGE.
 */
export async function listDocuments(folder: string, input: InputDefinition): Promise<string[]> {
  return (await findDocuments(folder, input)).names;
}

/**
 * The documents that the pipeline takes, in order (N1); long ones in parts.
 * @throws RuntimeError as `listDocuments`, and DOCUMENT_NOT_TEXT.
 */
export async function readDocuments(
  folder: string,
  input: InputDefinition,
  pool: CpuPool,
): Promise<InputDocument[]> {
  const { root, names } = await findDocuments(folder, input);
  const splitCharactersMax = input.documents.split?.maxCharacters ?? null;
  const batches: string[][] = [];
  for (let start = 0; start < names.length; start += limits.documentsPerTask) {
    batches.push(names.slice(start, start + limits.documentsPerTask));
  }
  const results = await Promise.all(
    batches.map((batch) =>
      pool.run('read-documents', { folder: root, names: batch, splitCharactersMax }),
    ),
  );
  const documents = results.flat();
  if (documents.length > limits.documentsMax) throw tooMany(folder, `${documents.length} parts`);
  return documents;
}

async function findDocuments(
  folder: string,
  input: InputDefinition,
): Promise<{ root: string; names: string[] }> {
  const { root, entries } = await readFolder(folder);
  const { include, split } = input.documents;
  const bytesMax = documentBytesMax(split !== undefined);
  const accepted = entries.filter(
    (name) => !name.startsWith('.') && include.some((pattern) => matchesName(pattern, name)),
  );
  accepted.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))); // (N1)
  const names: string[] = [];
  let bytes = 0;
  for (const name of accepted) {
    const size = await documentSize(root, name);
    if (size === null) continue;
    if (size > bytesMax) {
      throw new RuntimeError(
        'DOCUMENT_TOO_LARGE',
        `The document ${join(folder, name)} is larger than ${bytesMax / 1024} KiB; split it or leave it out.`,
      );
    }
    names.push(name);
    bytes += size;
    if (names.length > limits.documentsMax) {
      throw tooMany(folder, `more than ${limits.documentsMax} documents`);
    }
    if (bytes > limits.inputBytesMax) {
      throw tooMany(folder, `more than ${limits.inputBytesMax / 1024 ** 2} MiB of documents`);
    }
  }
  if (names.length === 0) {
    throw new RuntimeError(
      'INPUT_EMPTY',
      `The input folder ${folder} has no document that matches ${include.join(', ')}; add some or change input.documents.include.`,
    );
  }
  return { root, names };
}

async function readFolder(folder: string): Promise<{ root: string; entries: string[] }> {
  try {
    const root = await realpath(folder);
    return { root, entries: await readdir(root) };
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const problem =
      reason === 'ENOENT'
        ? 'does not exist; check the path'
        : reason === 'ENOTDIR'
          ? 'is not a folder; name the folder that holds the documents'
          : `cannot be read (${reason}); check the path and its permissions`;
    throw new RuntimeError('INPUT_NOT_FOUND', `The input folder ${folder} ${problem}.`, { cause });
  }
}

/** Size of a document in bytes; null for what is none: a folder, a pipe, a link that leads out or nowhere (N2). */
async function documentSize(root: string, name: string): Promise<number | null> {
  try {
    const path = await realpath(join(root, name));
    if (!isInside(root, path)) return null;
    const status = await stat(path);
    return status.isFile() ? status.size : null;
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    if (reason === 'ENOENT' || reason === 'ELOOP') return null;
    throw new RuntimeError(
      'INPUT_NOT_FOUND',
      `The file ${join(root, name)} cannot be read (${reason}); check its permissions or leave it out.`,
      { cause },
    );
  }
}

/** Whether a file name matches a pattern in which `*` stands for any characters. Linear, whatever the pattern. */
function matchesName(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first)) return false;
  let position = first.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, position);
    if (found < 0) return false;
    position = found + piece.length;
  }
  return name.length - last.length >= position && name.endsWith(last);
}

function tooMany(folder: string, what: string): RuntimeError {
  return new RuntimeError(
    'TOO_MANY_DOCUMENTS',
    `The input folder ${folder} has ${what}; run the pipeline over parts of the folder.`,
  );
}
