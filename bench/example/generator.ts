/**
 * Writes labelled office messages from a bank. It shares no code, template or
 * word list with the generator of the embedded model's training text.
 */
import type { FactTemplate, MessageBank } from './bank.ts';
import type { LabelledMessage, MessageLabel } from './labels.ts';
import { Choices } from './prng.ts';

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday'];

type FieldName = 'names' | 'places' | 'dates' | 'amounts';
const fieldOfSlot: Readonly<Record<string, FieldName>> = {
  P: 'names',
  L: 'places',
  D: 'dates',
  A: 'amounts',
};

class Draft {
  readonly values: Record<FieldName, string[]> = { names: [], places: [], dates: [], amounts: [] };
  readonly #named = new Map<string, string>();
  readonly #choices: Choices;
  readonly #bank: MessageBank;

  constructor(choices: Choices, bank: MessageBank) {
    this.#choices = choices;
    this.#bank = bank;
  }

  /** Fills the slots of a template; values of the body are labels, those of a question are not. */
  fill(template: string, counted = true): string {
    return template.replace(/\{([PLDA])(\d?)\}/g, (_, slot: string, index: string) => {
      const key = slot + index;
      const known = index === '' ? undefined : this.#named.get(key);
      const value = known ?? this.#fresh(slot);
      if (index !== '') this.#named.set(key, value);
      const field = fieldOfSlot[slot];
      if (counted && field !== undefined && !this.values[field].includes(value)) {
        this.values[field].push(value);
      }
      return value;
    });
  }

  #fresh(slot: string): string {
    for (let attempt = 0; ; attempt += 1) {
      const value = this.#value(slot);
      const used = Object.values(this.values).flat();
      if (attempt > 20 || !used.some((other) => other.includes(value) || value.includes(other)))
        return value;
    }
  }

  #value(slot: string): string {
    const choices = this.#choices;
    if (slot === 'P') {
      const first = choices.one(this.#bank.first);
      return choices.chance(0.55) ? `${first} ${choices.one(this.#bank.last)}` : first;
    }
    if (slot === 'L') return choices.one(this.#bank.places);
    return slot === 'D' ? date(choices) : amount(choices);
  }
}

function date(choices: Choices): string {
  const day = choices.whole(1, 28);
  const month = choices.whole(1, 12);
  const name = choices.one(months);
  switch (choices.whole(0, 4)) {
    case 0:
      return choices.one(weekdays);
    case 1:
      return `${day} ${name} ${choices.whole(2026, 2028)}`;
    case 2:
      return `${choices.whole(2026, 2028)}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
    case 3:
      return `${name} ${day}`;
    default:
      return `${day} ${name}`;
  }
}

function amount(choices: Choices): string {
  const whole = choices.whole(12, 4800);
  const figure = choices.chance(0.5) ? whole.toLocaleString('en-US') : String(whole);
  const cents = choices.chance(0.25) ? `.${choices.whole(10, 99)}` : '';
  return choices.chance(0.6)
    ? `${choices.one(['€', '$', '£'])}${figure}${cents}`
    : `${figure}${cents} ${choices.one(['euros', 'EUR', 'pounds', 'dollars'])}`;
}

function request(
  choices: Choices,
  bank: MessageBank,
): { text: string; call: MessageLabel['calls'][number] } {
  if (choices.chance(0.4)) {
    const path = choices.one(Object.keys(bank.files));
    const text = choices.one(bank.readings).replace('{F}', path);
    return { text, call: { tool: 'read_file', args: { path }, result: bank.files[path] ?? '' } };
  }
  const op = choices.one(['add', 'sub', 'mul', 'div'] as const);
  const b = choices.whole(2, op === 'mul' || op === 'div' ? 40 : 900);
  const a = op === 'div' ? b * choices.whole(3, 60) : choices.whole(op === 'sub' ? b : 3, 1900);
  const template = choices.one(bank.calculations[op]);
  // A subtraction may name its second operand first: {M} is the smaller one.
  const swapped = template.indexOf('{M}') >= 0 && template.indexOf('{M}') < template.indexOf('{N}');
  const text = swapped
    ? template.replace('{M}', String(b)).replace('{N}', String(a))
    : template.replace('{N}', String(a)).replace(/\{[NM]\}/, String(b));
  const result = { add: a + b, sub: a - b, mul: a * b, div: a / b }[op];
  return { text, call: { tool: 'calc', args: { op, a, b }, result } };
}

function message(choices: Choices, bank: MessageBank, document: string): LabelledMessage {
  const draft = new Draft(choices, bank);
  const route = choices.one(Object.keys(bank.topics));
  const fact: FactTemplate = choices.one(bank.facts);
  const asked = choices.chance(0.5) ? request(choices, bank) : null;
  const opening = [draft.fill(choices.one(bank.greetings))];
  if (choices.chance(0.35)) opening.push(choices.one(bank.fillers));
  const middle = [draft.fill(choices.one(bank.topics[route] ?? []))];
  const second = draft.fill(fact.text);
  if (choices.chance(0.6)) middle.push(draft.fill(choices.one(bank.asides)));
  middle.splice(choices.whole(1, middle.length), 0, second);
  if (choices.chance(0.25)) middle.push(draft.fill(choices.one(bank.asides)));
  if (asked !== null) middle.push(asked.text);
  const body = [...opening, ...middle].join(' ');
  const closing = draft.fill(choices.one(bank.closings));
  const question = draft.fill(fact.question, false);
  return {
    text: `${body}\n${closing}\n\nQuestion: ${question}\n`,
    label: {
      document,
      route,
      ...draft.values,
      answers: fact.answer === '' ? [] : [draft.fill(fact.answer, false)],
      calls: asked === null ? [] : [asked.call],
    },
  };
}

/** `count` messages, named 001.txt and on; the same seed and bank give the same messages. */
export function generateMessages(
  bank: MessageBank,
  seed: number,
  count: number,
): LabelledMessage[] {
  const choices = new Choices(seed);
  return Array.from({ length: count }, (_, index) =>
    message(choices, bank, `${String(index + 1).padStart(3, '0')}.txt`),
  );
}
