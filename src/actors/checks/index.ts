/** The checks that a pipeline file can name, by their names there. */
import type { Check } from './check.ts';
import { collected } from './collected.ts';
import { confidence } from './confidence.ts';
import { copiedAnswer } from './copied-answer.ts';
import { copiedLines } from './copied-lines.ts';
import { evidence } from './evidence.ts';
import { fields } from './fields.ts';
import { labelEvidence } from './label-evidence.ts';
import { parts } from './parts.ts';
import { quotes } from './quotes.ts';
import { toolRequest } from './tool-request.ts';

export const checks: Readonly<Record<string, Check>> = {
  collected,
  confidence,
  'copied-answer': copiedAnswer,
  'copied-lines': copiedLines,
  evidence,
  fields,
  'label-evidence': labelEvidence,
  parts,
  quotes,
  'tool-request': toolRequest,
};
