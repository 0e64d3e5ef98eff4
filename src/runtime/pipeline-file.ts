/**
 * Reads a pipeline, from a YAML file or inline, and refuses everything that
 * could not run: the one gate between what people write and what runs.
 *
 * Invariants
 *   P1. What leaves here obeys the schema, names only what exists, and has an
 *       order of steps.
 *   P2. Every refusal is one sentence with file, line and column where there is
 *       a file, and the path of the value where there is none.
 */
import { constants, open } from 'node:fs/promises';
import type { z } from 'zod';
import {
  type PipelineDefinition,
  pipelineDefinitionSchema,
} from '../actors/pipeline-definition.ts';
import type { Levels } from '../identity/clearance.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { findNonJson } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { type PipelineProblem, type PipelineSource, throwProblems } from './pipeline-problem.ts';
import { findPipelineProblems } from './pipeline-rules.ts';
import { parsePipelineYaml } from './pipeline-yaml.ts';

export interface PipelineOptions {
  /** Names of the checks that exist. */
  readonly knownChecks: readonly string[];
  /** Levels of clearance of the configuration, for pipelines that name none. */
  readonly levels?: Levels;
}

/**
 * @throws RuntimeError PIPELINE_NOT_FOUND when the file cannot be read;
 * otherwise as `parsePipeline`.
 */
export async function loadPipelineFile(
  path: string,
  options: PipelineOptions,
): Promise<PipelineDefinition> {
  const bytes = await readPipelineBytes(path);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RuntimeError(
      'PIPELINE_INVALID',
      `${path}: the file is not UTF-8 text; save it as UTF-8.`,
      { cause },
    );
  }
  return parsePipeline(text, { fileName: path, ...options });
}

/**
 * Parses YAML text; `fileName` only names it in messages.
 * @throws RuntimeError PIPELINE_INVALID, PIPELINE_CYCLE or
 * PIPELINE_UNKNOWN_REFERENCE, with line and column.
 */
export function parsePipeline(
  text: string,
  options: PipelineOptions & { readonly fileName: string },
): PipelineDefinition {
  if (Buffer.byteLength(text) > limits.pipelineBytesMax) throw tooLarge(options.fileName);
  const { value, source } = parsePipelineYaml(text, options.fileName);
  return checkedPipeline(value, source, options);
}

/**
 * Checks a pipeline that came as data.
 * @throws RuntimeError PIPELINE_INVALID, PIPELINE_CYCLE or
 * PIPELINE_UNKNOWN_REFERENCE, with the path of the value.
 */
export function parsePipelineObject(value: unknown, options: PipelineOptions): PipelineDefinition {
  return checkedPipeline(value, null, options);
}

function checkedPipeline(
  value: unknown,
  source: PipelineSource | null,
  options: PipelineOptions,
): PipelineDefinition {
  const parsed = pipelineDefinitionSchema.safeParse(value);
  if (!parsed.success) {
    throwProblems(parsed.error.issues.flatMap(toProblems), source);
    throw parsed.error;
  }
  refuseNonJson(value, source);
  throwProblems(findPipelineProblems(parsed.data, options.knownChecks, options.levels), source); // (P1)
  return parsed.data;
}

/** YAML and JSON can spell values that no journal keeps unchanged, such as half of a surrogate pair. */
function refuseNonJson(value: unknown, source: PipelineSource | null): void {
  const place = findNonJson(value);
  if (place === null) return;
  const message = `the value at ${place} is not plain JSON (numbers are finite, text is whole Unicode)`;
  throwProblems([{ code: 'PIPELINE_INVALID', path: [], message }], source);
}

function toProblems(issue: z.core.$ZodIssue): PipelineProblem[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const code = 'PIPELINE_INVALID';
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        code,
        path: [...path, key],
        message: 'there is no such setting here',
        atKey: true,
      }));
    case 'invalid_key':
      return [{ code, path, message: issue.issues[0]?.message ?? 'not a name', atKey: true }];
    case 'invalid_union':
      return [{ code, path, message: unionSentence(issue.message) }];
    default:
      return [{ code, path, message: schemaSentence(issue.message) }];
  }
}

/** Of a union that says what it is; the others are of values that may be any JSON. */
function unionSentence(message: string): string {
  return message === 'Invalid input' ? 'the value has no JSON form' : message;
}

function schemaSentence(message: string): string {
  if (message.endsWith('received undefined')) return 'this setting is missing';
  const text = message.replace(/^Invalid (input|option): /, '').replace(/^Too (small|big): /, '');
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

async function readPipelineBytes(path: string): Promise<Buffer> {
  try {
    // A pipe must not keep the command waiting.
    const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
    await using file = await open(path, flags);
    const status = await file.stat();
    if (!status.isFile()) {
      throw new RuntimeError('PIPELINE_NOT_FOUND', `${path} is not a file; name a pipeline file.`);
    }
    if (status.size > limits.pipelineBytesMax) throw tooLarge(path);
    return await file.readFile();
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new RuntimeError(
      'PIPELINE_NOT_FOUND',
      reason === 'ENOENT'
        ? `There is no pipeline file ${path}; check the path.`
        : `The pipeline file ${path} cannot be read (${reason}); check the path and its permissions.`,
      { cause },
    );
  }
}

function tooLarge(fileName: string): RuntimeError {
  const kibibytes = limits.pipelineBytesMax / 1024;
  return new RuntimeError(
    'PIPELINE_INVALID',
    `${fileName}: the pipeline is larger than ${kibibytes} KiB; shorten it.`,
  );
}
