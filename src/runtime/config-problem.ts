/** What is wrong in a configuration file, with the place in its text. */
import { type Document, isMap, isNode, isSeq, type LineCounter } from 'yaml';
import type { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';

/** The file as a plain value. @throws RuntimeError CONFIG_INVALID where it uses aliases */
export function toPlain(document: Document, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw new RuntimeError(
      'CONFIG_INVALID',
      `${path}: aliases (*name) are not allowed here; write the value out.`,
      { cause },
    );
  }
}

/** The first issue as one sentence that begins with file, line and column. */
export function describeIssue(
  error: z.ZodError,
  source: { document: Document; lines: LineCounter; path: string },
): string {
  const [issue] = error.issues;
  if (issue === undefined) return `${source.path}: the file is not valid.`;
  const unknownKey = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = unknownKey === undefined ? issue.path : [...issue.path, unknownKey];
  const offset = offsetOf(source.document, path);
  const { line, col } = source.lines.linePos(offset);
  const where = `${source.path}:${line}:${col}`;
  if (unknownKey === undefined) {
    return `${where}: ${path.join('.') || 'the file'}: ${issue.message}; correct it.`;
  }
  return unknownKey.toLowerCase() === 'apikey'
    ? `${where}: the key does not belong in a file; export OPENCLAW_API_KEY instead.`
    : `${where}: there is no setting ${path.join('.')}; remove it or correct its name.`;
}

/** Where the value, or its nearest existing parent, begins in the text. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of path) {
    if (isSeq(node)) {
      node = node.items[Number(key)];
      offset = (isNode(node) && node.range?.[0]) || offset;
      continue;
    }
    if (!isMap(node)) break;
    const pair = node.items.find((item) => String(item.key) === String(key));
    if (pair === undefined) break;
    offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset;
    node = pair.value;
  }
  return offset;
}
