/**
 * Turns a JSON Schema into the part of it that a grammar can enforce, or
 * refuses it. A keyword that a grammar cannot enforce is refused rather than
 * dropped, so that an answer which follows the grammar also follows the schema.
 *
 * Invariants
 *   G1. The result holds only keywords that the grammar enforces.
 *   G2. Annotations (title, description, default, …) change nothing and are dropped.
 *   G3. Every property is written, in the order of the schema, so `required` is met.
 */
import { RuntimeError } from '../kernel/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';

const annotations = new Set([
  '$schema',
  '$id',
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
]);
const scalarTypes = new Set(['string', 'number', 'integer', 'boolean', 'null']);
const formats = new Set(['date-time', 'time', 'date']);
const referencePrefix = '#/$defs/';

/** Keywords that each kind of schema understands, beside annotations. */
const keywords = {
  object: [
    'type',
    'properties',
    'required',
    'additionalProperties',
    'minProperties',
    'maxProperties',
  ],
  array: ['type', 'items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['type', 'minLength', 'maxLength', 'format'],
} as const;

/**
 * @returns an equivalent schema of the keywords that grammars know.
 * @throws RuntimeError SCHEMA_UNSUPPORTED that names the place and the keyword.
 */
export function toGrammarSchema(schema: JsonObject): JsonObject {
  const definitions = schema.$defs;
  const names = new Set(isJsonObject(definitions) ? Object.keys(definitions) : []);
  if (definitions !== undefined && !isJsonObject(definitions)) refuse('$.$defs', 'is no object');
  const { $defs: _, ...root } = schema;
  const translated = translate(root, { path: '$', depth: 0, names });
  if (!isJsonObject(definitions)) return translated;
  const translatedDefinitions: JsonObject = {};
  for (const [name, definition] of Object.entries(definitions)) {
    translatedDefinitions[name] = translate(definition, {
      path: `$.$defs.${name}`,
      depth: 1,
      names,
    });
  }
  return { ...translated, $defs: translatedDefinitions };
}

interface Place {
  readonly path: string;
  readonly depth: number;
  /** Names that a reference may use. */
  readonly names: ReadonlySet<string>;
}

function refuse(path: string, problem: string): never {
  throw new RuntimeError(
    'SCHEMA_UNSUPPORTED',
    `The JSON Schema cannot constrain a generation: ${path} ${problem}.`,
    { details: { path } },
  );
}

function inside(place: Place, name: string): Place {
  return { path: `${place.path}.${name}`, depth: place.depth + 1, names: place.names };
}

function translate(schema: Json | undefined, place: Place): JsonObject {
  if (!isJsonObject(schema)) refuse(place.path, 'is no schema object');
  if (place.depth > limits.schemaDepthMax) refuse(place.path, 'is nested too deep');
  if ('$ref' in schema) return translateReference(schema, place);
  if ('oneOf' in schema) return translateAlternatives(schema, 'oneOf', place);
  // Whatever satisfies one branch satisfies anyOf, so both generate alike.
  if ('anyOf' in schema) return translateAlternatives(schema, 'anyOf', place);
  if ('const' in schema) {
    onlyKeywords(schema, ['const', 'type'], place);
    return { const: scalar(schema.const, inside(place, 'const')) };
  }
  if ('enum' in schema) return translateEnum(schema, place);
  return translateTyped(schema, place);
}

function translateTyped(schema: JsonObject, place: Place): JsonObject {
  const { type } = schema;
  if (type === 'object') return translateObject(schema, place);
  if (type === 'array') return translateArray(schema, place);
  if (type === 'string') return translateString(schema, place);
  onlyKeywords(schema, ['type'], place);
  const types = Array.isArray(type) ? type : [type];
  if (
    types.length === 0 ||
    !types.every((name) => typeof name === 'string' && scalarTypes.has(name))
  ) {
    refuse(`${place.path}.type`, 'must be object, array, string, number, integer, boolean or null');
  }
  return { type: type ?? null };
}

function translateReference(schema: JsonObject, place: Place): JsonObject {
  onlyKeywords(schema, ['$ref'], place);
  const { $ref } = schema;
  const name =
    typeof $ref === 'string' && $ref.startsWith(referencePrefix)
      ? $ref.slice(referencePrefix.length)
      : '';
  if (!place.names.has(name))
    refuse(`${place.path}.$ref`, `must name a schema under ${referencePrefix}`);
  return { $ref: `${referencePrefix}${name}` };
}

function translateAlternatives(
  schema: JsonObject,
  keyword: 'oneOf' | 'anyOf',
  place: Place,
): JsonObject {
  onlyKeywords(schema, [keyword], place);
  const branches = schema[keyword];
  if (!Array.isArray(branches) || branches.length === 0)
    refuse(`${place.path}.${keyword}`, 'must be a list of schemas');
  return {
    oneOf: branches.map((branch, index) =>
      translate(branch, inside(place, `${keyword}[${index}]`)),
    ),
  };
}

function translateEnum(schema: JsonObject, place: Place): JsonObject {
  onlyKeywords(schema, ['enum', 'type'], place);
  const values = schema.enum;
  if (!Array.isArray(values) || values.length === 0)
    refuse(`${place.path}.enum`, 'must be a list of values');
  return { enum: values.map((value, index) => scalar(value, inside(place, `enum[${index}]`))) };
}

function translateObject(schema: JsonObject, place: Place): JsonObject {
  onlyKeywords(schema, keywords.object, place);
  const translated: JsonObject = { type: 'object' };
  const { properties, additionalProperties } = schema;
  if (properties !== undefined) {
    if (!isJsonObject(properties)) refuse(`${place.path}.properties`, 'must be an object');
    translated.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [
        name,
        translate(property, inside(place, name)),
      ]),
    );
  }
  checkRequired(schema.required, properties, place); // (G3)
  if (typeof additionalProperties === 'boolean')
    translated.additionalProperties = additionalProperties;
  else if (additionalProperties !== undefined) {
    translated.additionalProperties = translate(
      additionalProperties,
      inside(place, 'additionalProperties'),
    );
  } else if (properties === undefined) translated.additionalProperties = true;
  copyCounts(schema, ['minProperties', 'maxProperties'], translated, place);
  return translated;
}

function checkRequired(
  required: Json | undefined,
  properties: Json | undefined,
  place: Place,
): void {
  if (required === undefined) return;
  const names = isJsonObject(properties) ? properties : {};
  if (!Array.isArray(required)) refuse(`${place.path}.required`, 'must be a list of names');
  for (const name of required) {
    if (typeof name !== 'string' || !Object.hasOwn(names, name)) {
      refuse(
        `${place.path}.required`,
        `names ${JSON.stringify(name)}, which is not among the properties`,
      );
    }
  }
}

function translateArray(schema: JsonObject, place: Place): JsonObject {
  onlyKeywords(schema, keywords.array, place);
  const translated: JsonObject = { type: 'array' };
  if (schema.items !== undefined)
    translated.items = translate(schema.items, inside(place, 'items'));
  if (schema.prefixItems !== undefined) {
    if (!Array.isArray(schema.prefixItems))
      refuse(`${place.path}.prefixItems`, 'must be a list of schemas');
    translated.prefixItems = schema.prefixItems.map((item, index) =>
      translate(item, inside(place, `prefixItems[${index}]`)),
    );
  }
  copyCounts(schema, ['minItems', 'maxItems'], translated, place);
  return translated;
}

function translateString(schema: JsonObject, place: Place): JsonObject {
  onlyKeywords(schema, keywords.string, place);
  const { format } = schema;
  if (format === undefined) {
    const translated: JsonObject = { type: 'string' };
    copyCounts(schema, ['minLength', 'maxLength'], translated, place);
    return translated;
  }
  if (typeof format !== 'string' || !formats.has(format))
    refuse(`${place.path}.format`, 'must be date, time or date-time');
  onlyKeywords(schema, ['type', 'format'], place);
  return { type: 'string', format };
}

function copyCounts(
  from: JsonObject,
  names: readonly string[],
  to: JsonObject,
  place: Place,
): void {
  for (const name of names) {
    const count = from[name];
    if (count === undefined) continue;
    if (
      typeof count !== 'number' ||
      !Number.isInteger(count) ||
      count < 0 ||
      count > limits.schemaCountMax
    ) {
      refuse(`${place.path}.${name}`, `must be a whole number up to ${limits.schemaCountMax}`);
    }
    to[name] = count;
  }
  const [least, most] = names.map((name) => to[name]);
  if (typeof least === 'number' && typeof most === 'number' && least > most) {
    refuse(place.path, `has ${names.join(' above ')}`);
  }
}

function scalar(value: Json | undefined, place: Place): Json {
  if (value === undefined || (typeof value === 'object' && value !== null)) {
    refuse(place.path, 'must be a text, a number, true, false or null');
  }
  return value;
}

function onlyKeywords(schema: JsonObject, known: readonly string[], place: Place): void {
  for (const keyword of Object.keys(schema)) {
    if (known.includes(keyword) || annotations.has(keyword)) continue; // (G2)
    refuse(`${place.path}.${keyword}`, 'is a keyword that a grammar cannot enforce here');
  }
}
