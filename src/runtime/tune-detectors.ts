/**
 * Detectors against past answers: how well each signal told the wrong ones, what
 * the present thresholds would have stopped, and which keep to a chosen rate of
 * false interventions. Agents are looked at one by one, and models apart:
 * thresholds of one hold for no other.
 */
import {
  auroc,
  effectOf,
  intervenes,
  type LabelledValue,
  proposeThreshold,
  type ThresholdEffect,
} from '../inference/discrimination.ts';
import { type Signal, signals } from '../inference/signals.ts';
import type { PastGeneration } from './past-generations.ts';

export interface TunedSignal {
  readonly signal: string;
  /** Setting of `supervise`, or null for a signal that no detector watches. */
  readonly setting: string | null;
  /** Labelled answers of which the signal is known. */
  readonly known: number;
  readonly auroc: number | null;
  /** At the agent's own threshold; null where it sets none. */
  readonly present: ThresholdEffect | null;
  readonly proposed: ThresholdEffect | null;
}

export interface TunedAgent {
  readonly pipeline: string;
  readonly agent: string;
  readonly model: string;
  readonly generations: number;
  readonly right: number;
  readonly wrong: number;
  readonly signals: readonly TunedSignal[];
}

/** Where a detector of an agent stopped a generation, or would have. */
export interface Intervention {
  readonly run: string;
  readonly sequence: number;
  readonly actor: string;
  readonly setting: string;
  readonly value: number;
  readonly atToken: number;
  /** Text of that token. */
  readonly text: string;
  readonly right: boolean | null;
}

export interface TuneReport {
  readonly falseMax: number;
  readonly agents: readonly TunedAgent[];
  readonly interventions: readonly Intervention[];
}

/** @param falseMax Share of right answers that a proposed threshold may stop, 0 to 1. */
export function tuneDetectors(
  generations: readonly PastGeneration[],
  falseMax: number,
): TuneReport {
  const groups = new Map<string, PastGeneration[]>();
  for (const each of generations) {
    const name = JSON.stringify([each.pipeline, each.agent, each.model]);
    groups.set(name, [...(groups.get(name) ?? []), each]);
  }
  return {
    falseMax,
    agents: [...groups.values()].map((group) => tunedAgent(group, falseMax)),
    interventions: generations.flatMap(interventionsOf),
  };
}

function tunedAgent(group: readonly PastGeneration[], falseMax: number): TunedAgent {
  const [first] = group;
  const count = (right: boolean) => group.filter((each) => each.right === right).length;
  return {
    pipeline: first?.pipeline ?? '',
    agent: first?.agent ?? '',
    model: first?.model ?? '',
    generations: group.length,
    right: count(true),
    wrong: count(false),
    signals: signals.map((signal) => tunedSignal(signal, group, falseMax)),
  };
}

function tunedSignal(
  signal: Signal,
  group: readonly PastGeneration[],
  falseMax: number,
): TunedSignal {
  const values: LabelledValue[] = group.flatMap(({ right, tokens, json }) => {
    const measured = right === null ? null : signal.measure(tokens, json);
    return right === null || measured === null ? [] : [{ value: measured.value, right }];
  });
  const present = presentThreshold(signal, group.at(-1));
  const proposed = signal.setting === null ? null : proposeThreshold(signal, values, falseMax);
  return {
    signal: signal.name,
    setting: signal.setting,
    known: values.length,
    auroc: auroc(signal, values),
    present: present === null ? null : effectOf(signal, values, present),
    proposed: proposed === null ? null : effectOf(signal, values, proposed),
  };
}

/** Of the last generation: a pipeline file may have changed between runs. */
function presentThreshold({ setting }: Signal, last: PastGeneration | undefined): number | null {
  return setting === null ? null : (last?.thresholds[setting] ?? null);
}

function interventionsOf(generation: PastGeneration): Intervention[] {
  const { run, sequence, actor, tokens, json, right, thresholds } = generation;
  return signals.flatMap((signal) => {
    const { setting } = signal;
    const threshold = setting === null ? null : (thresholds[setting] ?? null);
    const measured = threshold === null ? null : signal.measure(tokens, json);
    if (setting === null || threshold === null || measured === null) return [];
    const { value, atToken } = measured;
    if (!intervenes(signal, value, threshold)) return [];
    const text = tokens[atToken]?.text ?? '';
    return [{ run, sequence, actor, setting, value, atToken, text, right }];
  });
}
