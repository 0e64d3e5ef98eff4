import { findNonJson, type Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { nestingDepth } from '../kernel/nesting-depth.ts';

/**
 * The value in the JSON text that a sandbox process sent, or why it is not
 * acceptable. Size and depth are checked again here, because the process may
 * be in the hands of its script, and code behind this recurses into the value.
 */
export function parseResultText(text: string): { value: Json } | { problem: string } {
  if (Buffer.byteLength(text, 'utf8') > limits.sandboxResultBytesMax) {
    return { problem: `it is larger than ${limits.sandboxResultBytesMax} bytes of JSON` };
  }
  if (nestingDepth(text) > limits.sandboxResultDepthMax) {
    return { problem: `it is nested deeper than ${limits.sandboxResultDepthMax} levels` };
  }
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'it is not JSON' };
  }
  const place = findNonJson(value);
  return place === null ? { value } : { problem: `${place} has no JSON form` };
}
