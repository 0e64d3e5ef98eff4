import { findNonJson, type Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';

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

/** Most brackets open at once, without parsing. */
function nestingDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '[' || character === '{') {
      depth += 1;
      deepest = Math.max(deepest, depth);
    } else if (character === ']' || character === '}') depth -= 1;
  }
  return deepest;
}
