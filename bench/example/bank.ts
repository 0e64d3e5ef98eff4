/**
 * The vocabulary of generated messages. A bank is a set of names, places and
 * sentence templates of its own; two banks share none of them.
 *
 * Slots: {P} person, {L} place, {D} date, {A} amount of money. A number after
 * the letter names a slot, so that a question can speak of it: {P1} in the
 * text and {P1} in the question are the same person.
 */
export interface FactTemplate {
  readonly text: string;
  readonly question: string;
  /** Empty where the text does not say. */
  readonly answer: string;
}

export interface MessageBank {
  readonly first: readonly string[];
  readonly last: readonly string[];
  readonly places: readonly string[];
  readonly greetings: readonly string[];
  readonly fillers: readonly string[];
  readonly closings: readonly string[];
  /** Sentences that decide the route. */
  readonly topics: Readonly<Record<string, readonly string[]>>;
  readonly facts: readonly FactTemplate[];
  /** Sentences with values that nobody asks for. */
  readonly asides: readonly string[];
  readonly calculations: Readonly<Record<'add' | 'sub' | 'mul' | 'div', readonly string[]>>;
  readonly readings: readonly string[];
  /** Files that the messages speak of, with their text. */
  readonly files: Readonly<Record<string, string>>;
}
