/**
 * What a supervisor did about a doubt, with its evidence: the record that its
 * message to the agent carries, so that the journal has it. Pure.
 *
 * Invariants
 *   I1. A rule is used at most `max` times in one step.
 *   I2. After a rule that handed the decision on, only later rules come.
 */
import type { Finding } from './detectors/finding.ts';
import type { WatchedDoubt } from './event.ts';
import type { Deed, SuperviseRule } from './supervise-rule.ts';

/** What a person or a critic has decided. */
export type Decision = 'retry' | 'accept' | 'reject' | 'hand-over' | 'stop' | 'none';

export interface Intervention {
  /** Place of the rule in `supervise.rules`, from 0. */
  readonly rule: number;
  readonly when: string;
  readonly do: Deed;
  /** Attempt whose answer was doubted, from 0. */
  readonly attempt: number;
  readonly findings: readonly Finding[];
  /** Of a rule that let somebody decide: what they did. */
  readonly decided?: Decision;
}

export interface ChosenRule {
  readonly rule: SuperviseRule;
  readonly index: number;
  /** The findings that the rule is for. */
  readonly findings: readonly Finding[];
}

/** How often each rule was used in a step, by its place. */
export type UsedRules = Readonly<Record<string, number>>;

function matching({ when }: SuperviseRule, { findings, again }: WatchedDoubt): readonly Finding[] {
  // What nobody would ask again about has to be named.
  if (when === 'any') return again ? findings : [];
  return findings.filter(({ source }) => source === when);
}

/** The first rule after the place `after` that fits and is not used up, or null. */
export function chooseRule(
  rules: readonly SuperviseRule[],
  doubt: WatchedDoubt,
  { used, after }: { readonly used: UsedRules; readonly after: number },
): ChosenRule | null {
  for (const [index, rule] of rules.entries()) {
    if (index <= after) continue; // (I2)
    if ((used[index] ?? 0) >= rule.max) continue; // (I1)
    const findings = matching(rule, doubt);
    if (findings.length > 0) return { rule, index, findings };
  }
  return null;
}
