/**
 * Where in its structure a growing JSON text is. Pure, one character after the
 * other; assumes that what it reads is JSON.
 */

export interface JsonStructure {
  /** The open brackets, outermost first. */
  readonly open: string;
  readonly inString: boolean;
  readonly escaped: boolean;
  /** The next string in an object is a key. */
  readonly keyNext: boolean;
}

export const jsonBegin: JsonStructure = {
  open: '',
  inString: false,
  escaped: false,
  keyNext: false,
};

interface StructureStep {
  readonly at: JsonStructure;
  /** A bracket opened or closed, or a member of an object began. */
  readonly progress: boolean;
}

function stepInString(at: JsonStructure, character: string): StructureStep {
  if (at.escaped) return { at: { ...at, escaped: false }, progress: false };
  if (character === '\\') return { at: { ...at, escaped: true }, progress: false };
  return { at: character === '"' ? { ...at, inString: false } : at, progress: false };
}

export function jsonStep(at: JsonStructure, character: string): StructureStep {
  if (at.inString) return stepInString(at, character);
  const inObject = at.open.endsWith('{');
  switch (character) {
    case '"':
      return { at: { ...at, inString: true, keyNext: false }, progress: inObject && at.keyNext };
    case ',':
      return { at: { ...at, keyNext: inObject }, progress: false };
    case '{':
    case '[':
      return {
        at: { ...at, open: at.open + character, keyNext: character === '{' },
        progress: true,
      };
    case '}':
    case ']':
      return { at: { ...at, open: at.open.slice(0, -1), keyNext: false }, progress: true };
    default:
      return { at, progress: false };
  }
}
