/**
 * `validate:` of an agent: who else examines its answers, and how. Each pattern
 * is one file in patterns/.
 */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';
import { pipelineName as name } from './pipeline-name.ts';

const accept = name
  .default('supported')
  .describe('Property of the JSON answer of whoever decides; the answer stands where it is true.');

const voteSchema = z
  .strictObject({
    pattern: z.literal('vote'),
    samples: z
      .number()
      .int()
      .min(1)
      .max(limits.voteSamplesMax)
      .default(5)
      .describe('How often the question is asked again, all at once, each with another seed.'),
    temperature: z.number().min(0).max(2).default(0.7).describe('Of these answers.'),
    agreement: z
      .number()
      .min(0)
      .max(1)
      .default(0.6)
      .describe(
        'Share of all votes that the winning answer needs; below it the answer is doubted.',
      ),
    compare: z
      .string()
      .regex(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i, 'a path such as args.path')
      .optional()
      .describe('Path in the JSON answer that votes are compared by. Without it the whole answer.'),
  })
  .describe('Self-consistency: the question is asked again, and the answers vote.');

const criticSchema = z
  .strictObject({
    pattern: z.literal('critic'),
    critic: name.describe('Agent that examines {{answer}} to {{question}}.'),
    judge: name
      .optional()
      .describe('Agent that decides where the critic objects, from {{critique}} as well.'),
    accept,
  })
  .describe('A critic examines the answer; where it objects, a judge may overrule it.');

const debateSchema = z
  .strictObject({
    pattern: z.literal('debate'),
    opponents: z
      .array(name)
      .min(2)
      .max(limits.debateOpponentsMax)
      .describe(
        'Agents that argue about {{answer}} to {{question}}; {{#debate}} is what was said.',
      ),
    judge: name.describe('Agent that decides from {{#debate}}.'),
    rounds: z.number().int().min(1).max(limits.debateRoundsMax).default(2),
    accept,
  })
  .describe('Opponents speak in rounds, each round at once; then a judge decides.');

const codeSchema = z
  .strictObject({
    pattern: z.literal('code'),
    source: z
      .string()
      .optional()
      .describe(
        'JavaScript that runs in the sandbox over `input`: question, answer, document, each, steps, written. Its value is true where the answer is right, else a text or a list of texts that say what is wrong.',
      ),
    agent: name
      .optional()
      .describe(
        'Agent whose answer is the program, or its property `source`; with `source` beside it, its answer is `input.written`.',
      ),
  })
  .describe('A program examines the answer.');

export const validateSchema = z
  .discriminatedUnion('pattern', [voteSchema, criticSchema, debateSchema, codeSchema])
  .describe(
    'How an answer that its checks do not doubt is examined further. An objection is a doubt: the supervisor asks again, and at the end a human hears it.',
  );

export type ValidateDefinition = z.output<typeof validateSchema>;
export type ValidatePattern = ValidateDefinition['pattern'];
