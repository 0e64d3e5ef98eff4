/** The values that are there: settings where `undefined` and absence mean the same. */
export type Defined<Values> = { [Key in keyof Values]?: Exclude<Values[Key], undefined> };

export function defined<Values extends object>(values: Values): Defined<Values> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Defined<Values>;
}
