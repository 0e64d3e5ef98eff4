/** The choice of a model as `claw route explain` shows it: made now, or journaled with an outcome. */
import type { RouteRecord } from '../inference/route-record.ts';
import type { Explanation } from '../inference/routed-models.ts';
import type { JsonObject } from '../kernel/json.ts';

export type RouteView = Explanation & Partial<Pick<RouteRecord, 'attempts' | 'cost'>>;

/** Of an event that is the outcome of a routed generation; else null. */
export function routeOf(event: JsonObject): RouteView | null {
  const outcome = event.outcome as { value?: { routing?: unknown } } | undefined;
  return event.type === 'outcome' ? ((outcome?.value?.routing as RouteView) ?? null) : null;
}

export function routeLines(route: RouteView): string[] {
  const { taskClass, evidence, privacy, promptTokens, answerTokens } = route;
  return [
    `Class ${taskClass} (${evidence}), privacy ${privacy}, about ${promptTokens} tokens of prompt and at most ${answerTokens} of answer.`,
    ...route.ranked.map(
      ({ model, tier, reasons }, index) =>
        `${index + 1}. ${model} (${tier}): ${reasons.join('; ')}`,
    ),
    ...route.excluded.map(({ model, reason }) => `not ${model}: ${reason}`),
    ...(route.attempts ?? []).map(attemptLine),
    ...(route.cost === undefined ? [] : [costLine(route.cost)]),
  ];
}

function attemptLine({
  model,
  passedOver,
  minConfidence,
  tokens,
}: RouteRecord['attempts'][number]): string {
  const least = minConfidence === null ? 'not told' : minConfidence.toFixed(3);
  return passedOver === null
    ? `${model} answered: ${tokens} tokens, least probability ${least}`
    : `${model} was passed over: ${passedOver}`;
}

function costLine({ spent, saved }: RouteRecord['cost']): string {
  if (spent === null) return 'Cost: not known.';
  const against = saved === null ? '' : `, ${saved} less than the largest one alone`;
  return `Cost: ${spent} tokens times parameters${against}.`;
}
