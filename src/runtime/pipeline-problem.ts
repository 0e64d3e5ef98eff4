/**
 * A fault of a pipeline and the one sentence that tells its author where it is.
 */
import { type ErrorCode, RuntimeError } from '../kernel/errors.ts';

/** Keys and indexes from the root of the definition. */
export type PipelinePath = readonly (string | number)[];

export interface PipelineProblem {
  readonly code: ErrorCode;
  readonly path: PipelinePath;
  /** What is wrong and how to put it right, without final full stop. */
  readonly message: string;
  /** Where in the string at `path`, in UTF-16 units from 0. */
  readonly offset?: number;
  /** The fault is the key at the end of `path`, not its value. */
  readonly atKey?: boolean;
}

/** Line and column, both from 1. */
export interface SourcePosition {
  readonly line: number;
  readonly column: number;
}

/** Knows where in a text each value of a pipeline stands. */
export interface PipelineSource {
  readonly fileName: string;
  locate(problem: PipelineProblem): SourcePosition;
}

const problemsListedMax = 20;

/**
 * Throws the first problem in the order of the text; `details.problems` lists
 * them all. Without a source, the path stands for the place.
 */
export function throwProblems(
  problems: readonly PipelineProblem[],
  source: PipelineSource | null,
): void {
  const placed = problems.map((problem) => ({
    problem,
    position: source?.locate(problem) ?? { line: 0, column: 0 },
  }));
  placed.sort((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
  const [first] = placed;
  if (first === undefined) return;
  const sentences = placed.map(({ problem, position }) => {
    const place = source === null ? '' : `${source.fileName}:${position.line}:${position.column}: `;
    const path = pathText(problem.path);
    return `${place}${path}${path === '' ? '' : ': '}${problem.message}`;
  });
  const others = placed.length - 1;
  const more = others === 0 ? '' : ` (and ${others} more problem${others === 1 ? '' : 's'})`;
  throw new RuntimeError(first.problem.code, `${sentences[0]}${more}.`, {
    details: {
      ...(source === null ? {} : { file: source.fileName, ...first.position }),
      problems: sentences.slice(0, problemsListedMax),
    },
  });
}

/** `steps[2].agent`, as people write it. */
function pathText(path: PipelinePath): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
}

/** A value that the schema allows and that cannot be meant. */
export function invalid(path: PipelinePath, message: string): PipelineProblem {
  return { code: 'PIPELINE_INVALID', path, message };
}

/** A name of something that is not there. */
export function unknownName(
  path: PipelinePath,
  kind: string,
  name: string,
  known: readonly string[],
): PipelineProblem {
  const choices = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`;
  return {
    code: 'PIPELINE_UNKNOWN_REFERENCE',
    path,
    message: `there is no ${kind} "${name}"; ${choices}`,
  };
}
