/**
 * Finds where the first JSON value of a growing text ends, because a model
 * under a grammar may go on with line breaks after it. Assumes that what it
 * reads is JSON; whether it is, the parser says.
 */
export class JsonEndScanner {
  #depth = 0;
  #place: 'before' | 'structure' | 'string' | 'scalar' | 'after' = 'before';
  #escaped = false;

  /**
   * Reads the next piece of the text.
   * @returns how many characters of this piece belong to the value when the
   * value ends in it, else -1. A number or literal at the top ends before the
   * first white space that follows it.
   */
  push(piece: string): number {
    for (let index = 0; index < piece.length; index += 1) {
      const character = piece.charAt(index);
      if (this.#place === 'scalar' && isWhiteSpace(character)) {
        this.#place = 'after';
        return index;
      }
      this.#read(character);
      if (this.#place === 'after') return index + 1;
    }
    return -1;
  }

  #read(character: string): void {
    switch (this.#place) {
      case 'string':
        this.#readInString(character);
        return;
      case 'before':
      case 'structure':
        this.#readStructure(character);
        return;
      case 'scalar':
      case 'after':
        return;
    }
  }

  #readInString(character: string): void {
    if (this.#escaped) this.#escaped = false;
    else if (character === '\\') this.#escaped = true;
    else if (character === '"') this.#place = this.#depth === 0 ? 'after' : 'structure';
  }

  #readStructure(character: string): void {
    if (character === '"') this.#place = 'string';
    else if (character === '{' || character === '[') {
      this.#depth += 1;
      this.#place = 'structure';
    } else if (character === '}' || character === ']') {
      this.#depth -= 1;
      if (this.#depth === 0) this.#place = 'after';
    } else if (this.#place === 'before' && !isWhiteSpace(character)) this.#place = 'scalar';
  }
}

function isWhiteSpace(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t';
}
