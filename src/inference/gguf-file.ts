/**
 * Looks at a model file before llama.cpp does, because llama.cpp may end the
 * process on a damaged one. Reads the header only; checks that every tensor
 * lies inside the file.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

type LlamaModule = typeof import('node-llama-cpp');

const magic = 'GGUF';
const versions = [2, 3];
/** No architecture of llama.cpp has more; a damaged header often claims more. */
const tensorsMax = 65_536n;
const metadataEntriesMax = 65_536n;
const headerBytes = 24;

export interface ModelFile {
  readonly path: string;
  /** Name in the file, or the file's own. */
  readonly name: string;
  readonly parameters: number;
  /** Tokens that the model knows. */
  readonly vocabularySize: number;
  /** Size of the file, which is about what the weights take in memory. */
  readonly weightsBytes: number;
  /** Tokens that the model was trained for at once. */
  readonly contextTokens: number;
  /** What one token of one sequence takes in memory: a key and a value in each layer. */
  readonly valueBytesPerToken: number;
  /** The file says that prompts must not begin with a begin-of-sequence token. */
  readonly withoutBeginToken: boolean;
}

/**
 * Checks a GGUF file and reads what the runtime needs of its header.
 * @throws RuntimeError MODEL_NOT_FOUND, MODEL_INVALID.
 */
export async function inspectModelFile(path: string, llama: LlamaModule): Promise<ModelFile> {
  const size = await sizeOfFile(path);
  await checkHeader(path, size);
  let info: Awaited<ReturnType<LlamaModule['readGgufFileInfo']>>;
  try {
    info = await llama.readGgufFileInfo(path, { sourceType: 'filesystem', logWarnings: false });
  } catch (cause) {
    throw invalid(path, 'its header is damaged', cause);
  }
  const tensors = info.fullTensorInfo ?? [];
  if (tensors.length === 0) throw invalid(path, 'it holds no tensors');
  let parameters = 0;
  for (const tensor of tensors) {
    parameters += tensor.dimensions.reduce<number>((product, side) => product * Number(side), 1);
    const outside = tensor.filePart === 1 && Number(tensor.fileOffset) >= size;
    if (outside) throw invalid(path, 'it is cut short: a tensor lies behind its end');
  }
  if (!Number.isFinite(parameters) || parameters <= 0)
    throw invalid(path, 'its tensors have no size');
  const { general, tokenizer } = info.metadata;
  if (typeof general?.architecture !== 'string') throw invalid(path, 'it names no architecture');
  return {
    path,
    name: typeof general.name === 'string' ? general.name : basename(path, '.gguf'),
    parameters,
    vocabularySize: tokenizer?.ggml?.tokens?.length ?? 0,
    weightsBytes: size,
    ...contextCost(info.architectureMetadata as ContextMetadata),
    withoutBeginToken: tokenizer?.ggml?.add_bos_token === false,
  };
}

/** What the header says of the context; a model may leave out what its kind does not have. */
interface ContextMetadata {
  readonly block_count?: number;
  readonly context_length?: number;
  readonly embedding_length?: number;
  readonly attention?: {
    readonly head_count?: number | readonly number[];
    readonly head_count_kv?: number | readonly number[];
    readonly key_length?: number;
    readonly value_length?: number;
  };
}

/** Keys and values are kept as 16-bit numbers. */
const valueBytes = 2;

function contextCost(metadata: ContextMetadata) {
  const { attention = {}, block_count: layers = 0, embedding_length: width = 0 } = metadata;
  const heads = mostOf(attention.head_count) ?? 1;
  const valueHeads = mostOf(attention.head_count_kv) ?? heads;
  const headWidth = width / Math.max(1, heads);
  const keyAndValue = (attention.key_length ?? headWidth) + (attention.value_length ?? headWidth);
  return {
    contextTokens: metadata.context_length ?? limits.contextTokensDefault,
    valueBytesPerToken: Math.ceil(layers * valueHeads * keyAndValue * valueBytes),
  };
}

/** Some models have a number for each layer. */
function mostOf(count: number | readonly number[] | undefined): number | undefined {
  return typeof count === 'object' ? Math.max(...count) : count;
}

/** SHA-256 of the file, or null when it is larger than limits.modelHashBytesMax. */
export async function hashModelFile(path: string): Promise<string | null> {
  if ((await stat(path)).size > limits.modelHashBytesMax) return null;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

async function sizeOfFile(path: string): Promise<number> {
  try {
    await access(path, constants.R_OK);
    const status = await stat(path);
    if (status.isFile()) return status.size;
  } catch (cause) {
    throw new RuntimeError(
      'MODEL_NOT_FOUND',
      `The model file ${path} does not exist or cannot be read; check --model or OPENCLAW_MODEL.`,
      { cause, details: { path } },
    );
  }
  throw new RuntimeError(
    'MODEL_NOT_FOUND',
    `${path} is not a file; name a GGUF file with --model.`,
    {
      details: { path },
    },
  );
}

async function checkHeader(path: string, size: number): Promise<void> {
  const header = Buffer.alloc(headerBytes);
  const file = await open(path, 'r');
  try {
    await file.read(header, 0, headerBytes, 0);
  } finally {
    await file.close();
  }
  if (size < headerBytes || header.toString('latin1', 0, 4) !== magic) {
    throw invalid(path, 'it does not begin with GGUF');
  }
  const version = header.readUInt32LE(4);
  if (!versions.includes(version)) throw invalid(path, `its GGUF version ${version} is unknown`);
  if (header.readBigUInt64LE(8) > tensorsMax || header.readBigUInt64LE(16) > metadataEntriesMax) {
    throw invalid(path, 'its header is damaged');
  }
}

function invalid(path: string, problem: string, cause?: unknown): RuntimeError {
  return new RuntimeError(
    'MODEL_INVALID',
    `The model file ${path} cannot be used: ${problem}; use a GGUF file that llama.cpp can load.`,
    { cause, details: { path } },
  );
}
