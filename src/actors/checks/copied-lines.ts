/**
 * Check of a brief: every bullet has to be a copy of a note, and only what is a
 * copy stays. The notes stand in the element that the agent works on, or else in
 * the results of earlier steps.
 */
import type { Json } from '../../kernel/json.ts';
import type { Check } from './check.ts';
import { withoutStop } from './occurrence.ts';

const bullet = /^\s*(?:[-*•]|\d+\.)\s+/;

/** Every text inside a JSON value. */
function textsOf(value: Json): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  return value === null || typeof value !== 'object' ? [] : Object.values(value).flatMap(textsOf);
}

export const copiedLines: Check = ({ output, each, steps }) => {
  const texts = each === null ? Object.values(steps).map((step) => step.output) : [each];
  const notes = new Set(texts.flatMap(textsOf).map(withoutStop));
  const lines = (typeof output === 'string' ? output : '')
    .split('\n')
    .map((line) => line.replace(bullet, '').trim())
    .filter((line) => line !== '');
  const copied = lines.filter(
    (line, index) =>
      notes.has(withoutStop(line)) &&
      lines.findIndex((other) => withoutStop(other) === withoutStop(line)) === index,
  );
  const invented = lines.length - lines.filter((line) => notes.has(withoutStop(line))).length;
  return {
    output: copied,
    reasons:
      invented === 0 && copied.length > 0
        ? []
        : [`${invented} of ${lines.length} bullets are no copies of a note and were left out.`],
    retry: true,
  };
};
