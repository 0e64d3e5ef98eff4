/**
 * Whether an answer fits the schema that was asked for. A grammar guarantees
 * it, a remote endpoint may not, so it is looked at again here. Pure: ajv
 * compiles a schema into a function of the answer alone.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Json } from '../kernel/json.ts';

const rememberedMax = 64;
const remembered = new Map<string, ValidateFunction>();

function validatorOf(schema: object): ValidateFunction {
  const text = JSON.stringify(schema);
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });
  const validator = ajv.compile(schema);
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(text, validator);
  return validator;
}

/** Why the value does not fit the schema, as a short clause; null when it does. */
export function schemaMismatch(schema: object, value: Json): string | null {
  const validate = validatorOf(schema);
  if (validate(value)) return null;
  const [fault] = validate.errors ?? [];
  const place =
    fault?.instancePath === undefined || fault.instancePath === '' ? 'it' : fault.instancePath;
  return `${place} ${fault?.message ?? 'is something else'}`;
}
