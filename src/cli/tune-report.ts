/** What `claw supervise tune` found, for people. */
import type { ThresholdEffect } from '../inference/discrimination.ts';
import type {
  Intervention,
  TunedAgent,
  TunedSignal,
  TuneReport,
} from '../runtime/tune-detectors.ts';
import { alignedRows } from './aligned-rows.ts';

const interventionsShownMax = 20;

export function tuneText(report: TuneReport): string {
  const { agents, interventions, falseMax } = report;
  if (agents.length === 0) return 'There is no generation with tokens to look at.';
  return [
    ...agents.flatMap((agent) => [...agentLines(agent), '']),
    ...interventionLines(interventions),
    `A proposed threshold stops at most ${percent(falseMax)} of the answers that are known to be right.`,
  ].join('\n');
}

const header = [
  'SIGNAL',
  'SETTING',
  'KNOWN',
  'AUROC',
  'NOW',
  'PRECISION',
  'RECALL',
  'FALSE',
  'PROPOSED',
  'PRECISION',
  'RECALL',
  'FALSE',
];

function agentLines(agent: TunedAgent): string[] {
  const { pipeline, model, generations, right, wrong } = agent;
  const unknown = generations - right - wrong;
  return [
    `${pipeline}/${agent.agent}, ${shortModel(model)}: ${generations} answers, ${right} right, ${wrong} wrong, ${unknown} not known`,
    ...alignedRows([header, ...agent.signals.map(signalCells)]),
  ];
}

/** Enough of the hash to tell two files apart. */
function shortModel(model: string): string {
  return model.replace(/sha256:([0-9a-f]{12})[0-9a-f]+/, '$1');
}

function signalCells({ signal, setting, known, auroc, present, proposed }: TunedSignal): string[] {
  return [
    signal,
    setting ?? '-',
    String(known),
    auroc === null ? '-' : auroc.toFixed(2),
    ...effectCells(present),
    ...effectCells(proposed),
  ];
}

function effectCells(effect: ThresholdEffect | null): string[] {
  if (effect === null) return ['-', '-', '-', '-'];
  const { threshold, precision, recall, falseRate } = effect;
  return [String(threshold), percent(precision), percent(recall), percent(falseRate)];
}

function percent(share: number | null): string {
  return share === null ? '-' : `${Number((share * 100).toFixed(1))} %`;
}

function interventionLines(interventions: readonly Intervention[]): string[] {
  if (interventions.length === 0) return ['The present thresholds stop none of these answers.'];
  const rows = interventions
    .slice(0, interventionsShownMax)
    .map(({ run, sequence, setting, value, atToken, text, right }) => [
      run,
      String(sequence),
      setting,
      String(Number(value.toPrecision(3))),
      `${atToken + 1} ${JSON.stringify(text)}`,
      right === null ? 'not known' : right ? 'right' : 'wrong',
    ]);
  const left = interventions.length - interventionsShownMax;
  return [
    'The present thresholds stop, or would have stopped:',
    ...alignedRows([['RUN', 'EVENT', 'SETTING', 'VALUE', 'TOKEN', 'ANSWER'], ...rows]),
    ...(left > 0 ? [`… and ${left} more; --json has all`] : []),
    '',
  ];
}
