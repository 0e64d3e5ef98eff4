/** The patterns that `validate:` can name. */
import type { ValidateDefinition, ValidatePattern } from '../validate-definition.ts';
import { code } from './code.ts';
import { critic } from './critic.ts';
import { debate } from './debate.ts';
import type { Ask, Findings, Matter, Pattern, Statement } from './pattern.ts';
import { vote } from './vote.ts';

const patterns: {
  readonly [Name in ValidatePattern]: Pattern<Extract<ValidateDefinition, { pattern: Name }>>;
} = { vote, critic, debate, code };

/** The pattern of these settings; their names tell which are whose. */
function patternOf(settings: ValidateDefinition): Pattern<ValidateDefinition> {
  return patterns[settings.pattern] as Pattern<ValidateDefinition>;
}

export function asksOf(
  settings: ValidateDefinition,
  stage: number,
  matter: Matter,
  said: readonly Statement[],
): readonly Ask[] {
  return patternOf(settings).asks(stage, matter, said, settings);
}

export function findingsOf(
  settings: ValidateDefinition,
  matter: Matter,
  said: readonly Statement[],
): Findings {
  return patternOf(settings).findings(matter, said, settings);
}
