/** Labels of past answers that a user gives: JSON lines of run, event and whether it was right. */
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { PastGeneration } from '../runtime/past-generations.ts';
import { FileFault, readTextFile } from './text-file.ts';

const labelSchema = z.object({
  run: z.string(),
  sequence: z.number().int().min(1),
  right: z.boolean(),
});

export type GivenLabel = z.output<typeof labelSchema>;

/** @throws RuntimeError USAGE that names the line. */
export function readLabels(path: string): GivenLabel[] {
  let text: string;
  try {
    text = readTextFile(path, limits.labelsBytesMax);
  } catch (cause) {
    if (!(cause instanceof FileFault)) throw cause;
    throw new RuntimeError('USAGE', `The file of labels ${path} ${cause.message}.`, { cause });
  }
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const label = labelSchema.safeParse(jsonOf(line));
    if (label.success) return [label.data];
    throw new RuntimeError(
      'USAGE',
      `Line ${index + 1} of ${path} is no label; one looks like {"run": "…", "sequence": 12, "right": true}.`,
    );
  });
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** A given label counts instead of what checks found, of stopped answers too. */
export function withLabels(
  generations: readonly PastGeneration[],
  labels: readonly GivenLabel[],
): PastGeneration[] {
  const given = new Map(labels.map(({ run, sequence, right }) => [`${run}:${sequence}`, right]));
  return generations.map((each) => {
    const right = given.get(`${each.run}:${each.sequence}`);
    return right === undefined ? each : { ...each, right, why: 'the file of labels says so' };
  });
}
