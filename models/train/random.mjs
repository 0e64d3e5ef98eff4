/**
 * Writes a Llama model with random weights: 51.9 million parameters in Q8_0,
 * for measurements on a model that is not tiny. It knows nothing and says
 * nothing; vocabulary, special tokens and chat template are the embedded model's.
 *
 * Nothing is trained: the bytes of the blocks come straight from a seeded
 * generator of whole numbers, so the file is the same on every machine.
 *
 * usage: node models/train/random.mjs FILE
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const seed = 0x0c1a3;
const shape = {
  layers: 8,
  width: 768,
  heads: 12,
  keyValueHeads: 4,
  feedForward: 2_048,
  contextTokens: 4_096,
};
const alignment = 32;

const { vocab, merges } = JSON.parse(
  readFileSync(fileURLToPath(new URL('./vocab.json', import.meta.url)), 'utf8'),
);
const chatMl =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

// Little-endian pieces of a GGUF file, version 3.
const u32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const f32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
};
const string = (text) => {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
};
const types = {
  u32: { id: 4, encode: u32 },
  i32: { id: 5, encode: u32 },
  f32: { id: 6, encode: f32 },
  bool: { id: 7, encode: (value) => Buffer.of(value ? 1 : 0) },
  string: { id: 8, encode: string },
};
const arrayTypeId = 9;
const field = (key, type, value) =>
  Buffer.concat([string(key), u32(types[type].id), types[type].encode(value)]);
const listField = (key, type, values) =>
  Buffer.concat([
    string(key),
    u32(arrayTypeId),
    u32(types[type].id),
    u64(values.length),
    ...values.map(types[type].encode),
  ]);

/** 1: normal, 3: control, 5: unused, as llama.cpp numbers them. */
function tokenType(token) {
  if (token.startsWith('<|unused')) return 5;
  return token.length > 4 && token.startsWith('<|') && token.endsWith('|>') ? 3 : 1;
}

const end = vocab.indexOf('<|im_end|>');
const padding = vocab.indexOf('<|endoftext|>');
const metadata = [
  field('general.architecture', 'string', 'llama'),
  field('general.name', 'string', 'random-50m'),
  field('general.file_type', 'u32', 7),
  field('general.alignment', 'u32', alignment),
  field('llama.block_count', 'u32', shape.layers),
  field('llama.context_length', 'u32', shape.contextTokens),
  field('llama.embedding_length', 'u32', shape.width),
  field('llama.feed_forward_length', 'u32', shape.feedForward),
  field('llama.attention.head_count', 'u32', shape.heads),
  field('llama.attention.head_count_kv', 'u32', shape.keyValueHeads),
  field('llama.attention.layer_norm_rms_epsilon', 'f32', 1e-5),
  field('llama.rope.dimension_count', 'u32', shape.width / shape.heads),
  field('llama.rope.freq_base', 'f32', 10_000),
  field('llama.vocab_size', 'u32', vocab.length),
  field('tokenizer.ggml.model', 'string', 'gpt2'),
  field('tokenizer.ggml.pre', 'string', 'gpt-2'),
  listField('tokenizer.ggml.tokens', 'string', vocab),
  listField('tokenizer.ggml.token_type', 'i32', vocab.map(tokenType)),
  listField(
    'tokenizer.ggml.merges',
    'string',
    merges.map((pair) => pair.join(' ')),
  ),
  field('tokenizer.ggml.eos_token_id', 'u32', end),
  field('tokenizer.ggml.eot_token_id', 'u32', end),
  field('tokenizer.ggml.bos_token_id', 'u32', padding),
  field('tokenizer.ggml.padding_token_id', 'u32', padding),
  field('tokenizer.ggml.add_bos_token', 'bool', false),
  field('tokenizer.chat_template', 'string', chatMl),
];

/** xorshift32: whole numbers only, so no machine rounds differently. */
let state = seed;
function next() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state;
}

const blockWeights = 32;
const blockBytes = 2 + blockWeights;
/** Standard deviation of whole numbers spread evenly from -127 to 127. */
const evenDeviation = 73.6;

/** Blocks of Q8_0: a scale as a 16-bit float, then 32 signed bytes. */
function randomBlocks(weights, deviation) {
  const bytes = Buffer.alloc((weights / blockWeights) * blockBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let block = 0; block < bytes.length; block += blockBytes) {
    view.setFloat16(block, deviation / evenDeviation, true);
    for (let at = block + 2; at < block + blockBytes; at += 4) view.setInt32(at, next(), true);
  }
  // A quantizer never writes -128.
  for (let at = 0; at < bytes.length; at += 1) {
    if (at % blockBytes >= 2 && bytes[at] === 0x80) bytes[at] = 0x81;
  }
  return bytes;
}

/** `columns` go in, `rows` come out. */
const matrix = (name, columns, rows, deviation = columns ** -0.5) => ({
  name,
  dimensions: [columns, rows],
  type: 8,
  bytes: () => randomBlocks(columns * rows, deviation),
});
const ones = (name, length) => ({
  name,
  dimensions: [length],
  type: 0,
  bytes: () => Buffer.from(new Float32Array(length).fill(1).buffer),
});

/**
 * The table is the output as well. Rows of zeros let the special tokens never
 * be the likeliest, so no turn ends by itself and every answer has all the
 * tokens that are asked for.
 */
function embedding(name) {
  const table = matrix(name, shape.width, vocab.length, 0.02);
  const rowBytes = (shape.width / blockWeights) * blockBytes;
  return {
    ...table,
    bytes() {
      const bytes = table.bytes();
      vocab.forEach((token, row) => {
        if (tokenType(token) !== 1) bytes.fill(0, row * rowBytes, (row + 1) * rowBytes);
      });
      return bytes;
    },
  };
}

const keyValueWidth = (shape.width / shape.heads) * shape.keyValueHeads;
const layer = (index) => [
  ones(`blk.${index}.attn_norm.weight`, shape.width),
  matrix(`blk.${index}.attn_q.weight`, shape.width, shape.width),
  matrix(`blk.${index}.attn_k.weight`, shape.width, keyValueWidth),
  matrix(`blk.${index}.attn_v.weight`, shape.width, keyValueWidth),
  matrix(`blk.${index}.attn_output.weight`, shape.width, shape.width),
  ones(`blk.${index}.ffn_norm.weight`, shape.width),
  matrix(`blk.${index}.ffn_gate.weight`, shape.width, shape.feedForward),
  matrix(`blk.${index}.ffn_up.weight`, shape.width, shape.feedForward),
  matrix(`blk.${index}.ffn_down.weight`, shape.feedForward, shape.width),
];
const tensors = [
  embedding('token_embd.weight'),
  ones('output_norm.weight', shape.width),
  ...Array.from({ length: shape.layers }, (_, index) => layer(index)).flat(),
];

const weightsOf = ({ dimensions }) => dimensions.reduce((product, side) => product * side, 1);
const sizeOf = (tensor) =>
  tensor.type === 0 ? weightsOf(tensor) * 4 : (weightsOf(tensor) / blockWeights) * blockBytes;
const padded = (size) => Math.ceil(size / alignment) * alignment;

function header() {
  let offset = 0;
  const entries = tensors.map((tensor) => {
    const { name, dimensions, type } = tensor;
    const entry = [string(name), u32(dimensions.length), ...dimensions.map(u64)];
    entry.push(u32(type), u64(offset));
    offset += padded(sizeOf(tensor));
    return Buffer.concat(entry);
  });
  const counts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(metadata.length)];
  return Buffer.concat([...counts, ...metadata, ...entries]);
}

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: node models/train/random.mjs FILE');
const file = openSync(path, 'w');
const write = (bytes) => {
  const whole = Buffer.alloc(padded(bytes.length));
  bytes.copy(whole);
  for (let at = 0; at < whole.length; at += writeSync(file, whole, at));
};
write(header());
for (const tensor of tensors) write(tensor.bytes());
closeSync(file);
const parameters = tensors.reduce((sum, tensor) => sum + weightsOf(tensor), 0);
console.log(`${path}: ${parameters} parameters with random weights`);
