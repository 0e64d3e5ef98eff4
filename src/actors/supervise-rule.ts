/**
 * What a pipeline says of the watching of a run: detectors over its events, and
 * what the supervisor does when one of them, or a check, doubts an answer. Every
 * setting is absent unless it is written, so that a pipeline without them is the
 * same text as before they existed.
 */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';

/** What the supervisor can do about a doubt. */
const deeds = ['resample', 'ground', 'switch-model', 'critic', 'pause', 'human', 'stop'] as const;

const ruleSchema = z
  .strictObject({
    when: z
      .string()
      .min(1)
      .max(40)
      .describe(
        'Who doubts the answer: tool-loop, failing-calls, contradiction, forgetting, a detector of tokens (confidence, repetition, spike, perplexity, collapse, near-repetition, stall), format (not the JSON that was asked for), validate (a panel objects), citations, the name of a check of the agent, or any.',
      ),
    do: z
      .enum(deeds)
      .describe(
        'resample: ask the same again. ground: ask with the facts that matter. switch-model: ask another model. critic: let another agent decide. pause: wait for claw release. human: hand over at once. stop: the run fails.',
      ),
    max: z
      .number()
      .int()
      .min(1)
      .max(limits.interventionsPerRuleMax)
      .default(1)
      .describe('How often the rule is used in one step; then the next one that fits is.'),
    temperature: z.number().min(0).max(2).optional().describe('Of the next attempt.'),
    seed: z.number().int().min(0).max(0xffff_ffff).optional().describe('Of the next attempt.'),
    model: z.string().min(1).max(200).optional().describe('Of switch-model: who is asked next.'),
    prompt: z
      .string()
      .optional()
      .describe(
        'Of ground: the prompt template of the next attempt, over {{facts}}, {{results}}, {{reasons}} and {{pins}} too. Without it supervise.grounding.',
      ),
    agent: z
      .string()
      .max(40)
      .optional()
      .describe(
        'Of critic: an agent whose answer is an object with accept, true or false, and perhaps reason. It reads {{answer}}, {{reasons}} and {{question}} too.',
      ),
  })
  .describe('What the supervisor does about one kind of doubt.');

/** Settings of `supervise` that watch the run. */
export const runWatchShape = {
  toolLoop: z
    .number()
    .int()
    .min(2)
    .max(8)
    .optional()
    .describe(
      'Of an agent with turns: a call that would be the same one, or end the same cycle of calls, for this many times is not made but doubted.',
    ),
  failingCalls: z
    .number()
    .int()
    .min(1)
    .max(16)
    .optional()
    .describe('Of an agent with turns: after this many failed calls in a row the next is doubted.'),
  contradiction: z
    .boolean()
    .optional()
    .describe(
      'Doubts an answer with other numbers, amounts, dates or names than the document or an accepted earlier result has for the same matter, or with its denial. It compares words, not meanings.',
    ),
  forgetting: z
    .boolean()
    .optional()
    .describe('Doubts an answer that lacks the words of a pin, or was asked for without a pin.'),
  rules: z
    .array(ruleSchema)
    .min(1)
    .max(limits.rulesPerAgentMax)
    .optional()
    .describe(
      'What the supervisor does about a doubt; the first rule that fits and is not used up. Without one that fits it asks again, then gives up, as retries says.',
    ),
};

const pinText = z.string().min(1).max(limits.pinCharactersMax);

export const pinsSchema = z
  .array(
    z.union(
      [
        pinText,
        z.strictObject({
          text: pinText.describe('A Mustache template, as the prompt is.'),
          words: z
            .array(z.string().min(1).max(80))
            .max(16)
            .describe('Words that the answer must have, in any case.'),
        }),
      ],
      'a text, or text and words',
    ),
  )
  .min(1)
  .max(limits.pinsPerAgentMax)
  .describe('Objectives of the agent: the model is told them behind the system prompt, always.');

export type SuperviseRule = z.output<typeof ruleSchema>;
export type Deed = SuperviseRule['do'];
