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
    withoutBeginToken: tokenizer?.ggml?.add_bos_token === false,
  };
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
