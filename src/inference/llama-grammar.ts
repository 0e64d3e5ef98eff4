/** Compiles JSON Schemas to llama.cpp grammars and keeps the recent ones. */
import type { Llama, LlamaGrammar } from 'node-llama-cpp';
import { RuntimeError } from '../kernel/errors.ts';
import { canonicalJson } from '../kernel/hash.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { toGrammarSchema } from './grammar-schema.ts';

/** Name of the answer among the definitions of its own schema. */
const answerName = 'openclaw-answer';

export class GrammarCache {
  readonly #llama: Llama;
  /** By schema text, the least recently used first. The order of properties is part of a grammar. */
  readonly #grammars = new Map<string, LlamaGrammar>();

  constructor(llama: Llama) {
    this.#llama = llama;
  }

  /** @throws RuntimeError SCHEMA_UNSUPPORTED. */
  async grammarFor(schema: JsonObject): Promise<LlamaGrammar> {
    const key = JSON.stringify(schema);
    const known = this.#grammars.get(key);
    const grammar = known ?? (await this.#compile(schema));
    this.#grammars.delete(key);
    this.#grammars.set(key, grammar);
    for (const oldest of this.#grammars.keys()) {
      if (this.#grammars.size <= limits.grammarCacheMax) break;
      this.#grammars.delete(oldest);
    }
    return grammar;
  }

  async #compile(schema: JsonObject): Promise<LlamaGrammar> {
    if (Buffer.byteLength(canonicalJson(schema)) > limits.schemaBytesMax) {
      throw new RuntimeError(
        'SCHEMA_UNSUPPORTED',
        `The JSON Schema is larger than ${limits.schemaBytesMax} bytes; make it smaller.`,
      );
    }
    const { $defs, ...answer } = toGrammarSchema(schema);
    // A referenced schema is written on one line, as answers are stored and as
    // small models are trained; at the top, line breaks would be allowed.
    const wrapped = {
      $ref: `#/$defs/${answerName}`,
      $defs: { ...(typeof $defs === 'object' ? $defs : {}), [answerName]: answer },
    };
    try {
      return await this.#llama.createGrammarForJsonSchema(
        wrapped as Parameters<Llama['createGrammarForJsonSchema']>[0],
      );
    } catch (cause) {
      throw new RuntimeError(
        'SCHEMA_UNSUPPORTED',
        'The JSON Schema cannot constrain a generation: llama.cpp refuses its grammar; make it simpler.',
        { cause },
      );
    }
  }
}
