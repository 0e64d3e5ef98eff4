/**
 * YAML text as data, with the place of each value in the text.
 *
 * Invariants
 *   Y1. Nothing is guessed: errors and warnings of the parser, duplicate keys
 *       and unknown tags are all refused.
 *   Y2. Aliases cannot multiply without bound.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { PipelineProblem, PipelineSource, SourcePosition } from './pipeline-problem.ts';

export interface PipelineYaml {
  readonly value: unknown;
  readonly source: PipelineSource;
}

/**
 * @throws RuntimeError PIPELINE_INVALID with file, line and column.
 */
export function parsePipelineYaml(text: string, fileName: string): PipelineYaml {
  const lines = new LineCounter();
  const position = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const invalid = (offset: number, message: string, cause?: unknown): RuntimeError => {
    const { line, column } = position(offset);
    return new RuntimeError('PIPELINE_INVALID', `${fileName}:${line}:${column}: ${message}.`, {
      cause,
      details: { file: fileName, line, column },
    });
  };

  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      logLevel: 'silent',
    });
    const [fault] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]); // (Y1)
    if (fault !== undefined) throw invalid(fault.pos[0], yamlSentence(fault.message), fault);
    const value: unknown = document.toJS({ maxAliasCount: limits.pipelineAliasesMax }); // (Y2)
    const source: PipelineSource = {
      fileName,
      locate: (problem) => position(offsetOf(document, text, problem)),
    };
    return { value, source };
  } catch (error) {
    if (error instanceof RuntimeError) throw error;
    // The parser recurses by nesting and refuses too many aliases by throwing.
    const tooDeep = error instanceof RangeError;
    const problem = tooDeep
      ? 'the YAML is nested too deeply'
      : yamlSentence(error instanceof Error ? error.message : String(error));
    throw invalid(0, problem, error);
  }
}

function yamlSentence(message: string): string {
  const line = (message.split('\n')[0] ?? '').replace(/[.\s]+$/, '');
  return `the YAML is not valid: ${line}`;
}

function offsetOf(document: Document.Parsed, text: string, problem: PipelineProblem): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const [index, part] of problem.path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const isLast = index === problem.path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part);
      // A key that is missing is the fault of the map that should have it.
      if (pair === undefined) return offset;
      if (isLast && problem.atKey === true) return startOf(pair.key) ?? offset;
      node = pair.value;
      offset = startOf(node) ?? startOf(pair.key) ?? offset;
    } else if (isSeq(node)) {
      node = typeof part === 'number' ? node.items[part] : undefined;
      offset = startOf(node) ?? offset;
    } else {
      return offset;
    }
  }
  return problem.offset === undefined
    ? offset
    : offset + offsetInScalar(node, text, problem.offset);
}

function startOf(node: unknown): number | undefined {
  if (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) return node.range?.[0];
  return undefined;
}

/** How far behind the start of a scalar in the text its character number `offset` stands. */
function offsetInScalar(node: unknown, text: string, offset: number): number {
  const start = startOf(node);
  if (!isScalar(node) || typeof node.value !== 'string' || start === undefined) return 0;
  switch (node.type) {
    case 'PLAIN':
      return node.value.slice(0, offset).includes('\n') ? 0 : offset;
    case 'QUOTE_SINGLE':
    case 'QUOTE_DOUBLE':
      return node.value.slice(0, offset).includes('\n') ? 0 : offset + 1;
    case 'BLOCK_LITERAL': {
      // Its lines stand below the header one by one, each behind the indentation.
      const before = node.value.slice(0, offset).split('\n');
      const lines = text.slice(start).split('\n');
      const content = lines.slice(1).find((line) => line.trim() !== '') ?? '';
      const indentation = content.length - content.trimStart().length;
      const linesAbove = lines.slice(0, before.length).join('\n').length + 1;
      return linesAbove + indentation + (before.at(-1)?.length ?? 0);
    }
    default:
      return 0;
  }
}
