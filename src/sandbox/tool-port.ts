import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';

/**
 * What a script is granted beyond its own file system: whoever runs a script
 * says which tools it has and carries their calls out. A tool that is not
 * named does not exist for the script.
 */
export interface ToolPort {
  /** Dotted names, such as `file.read`; the script has `tools.file.read`. */
  readonly names: readonly string[];
  /**
   * One call of a granted tool, with plain JSON of a bounded size. A rejection
   * is the script's error; of it only `code` and `message` are told.
   */
  call(name: string, args: Json, signal: AbortSignal): Promise<Json>;
}

const toolName = /^[a-z][A-Za-z0-9_]*(?:\.[a-z][A-Za-z0-9_]*)*$/;

/** What is wrong with the names of granted tools, or null. */
export function toolNamesProblem(names: readonly string[]): string | null {
  if (names.length > limits.sandboxToolsMax) {
    return `A script is granted at most ${limits.sandboxToolsMax} tools.`;
  }
  for (const name of names) {
    if (name.length > limits.sandboxToolNameMax || !toolName.test(name)) {
      return `A tool is named like file.read, not ${JSON.stringify(name.slice(0, 80))}.`;
    }
    // One cannot be a function and hold others.
    if (names.some((other) => other.startsWith(`${name}.`)))
      return `The tool ${name} hides another.`;
  }
  return new Set(names).size === names.length ? null : 'A tool is granted twice.';
}
