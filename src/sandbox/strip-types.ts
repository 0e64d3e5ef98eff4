/**
 * TypeScript as JavaScript, by the stripper of Node.js: types become spaces,
 * so places stay true. What needs code to be made (enum, namespace, parameter
 * properties) is refused with the stripper's own message.
 */
import { stripTypeScriptTypes } from 'node:module';

/** @throws SyntaxError with a message of its own when the script is not such TypeScript. */
export function withoutTypes(source: string): string {
  try {
    return stripTypeScriptTypes(source);
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
    throw new SyntaxError(line === '' ? 'the TypeScript cannot be read' : line.slice(0, 500));
  }
}
