/**
 * A pipeline as data: agents, tools, and steps over documents. The YAML file
 * is this shape word for word, so the schema below is also the published JSON
 * Schema. A run stores its definition in its first record; editing the file
 * later changes nothing in old runs.
 */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';
import { contextPolicySchema } from './context-policy.ts';
import { handoffSchema } from './handoff.ts';
import { agentClearance, clearanceSchema, inputLabelsShape } from './labels.ts';
import { pipelineName as name } from './pipeline-name.ts';
import { privacySchema, routingPolicySchema } from './routing-policy.ts';
import { pinsSchema, runWatchShape } from './supervise-rule.ts';
import { validateSchema } from './validate-definition.ts';

const json: z.ZodType<unknown> = z.json();

/** What a detector watches in the token stream, and what happens when it fires. */
const superviseSchema = z
  .strictObject({
    minConfidence: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(
        'A generation stops at a token whose probability is below this; forced tokens do not count.',
      ),
    repetition: z
      .number()
      .int()
      .min(2)
      .max(64)
      .optional()
      .describe('A generation stops when the same sequence of tokens repeats this often.'),
    spike: z
      .number()
      .positive()
      .max(20)
      .optional()
      .describe(
        'A generation stops at a token this many nats more surprising, or with so much more entropy, than the mean of the answer before it.',
      ),
    perplexity: z
      .number()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe('A generation stops when its last 12 free tokens together have this perplexity.'),
    collapse: z
      .number()
      .int()
      .min(4)
      .max(limits.answerTokensMax)
      .optional()
      .describe(
        'A generation stops after this many tokens in a row without doubt that say nothing new.',
      ),
    nearRepetition: z
      .number()
      .int()
      .min(2)
      .max(9)
      .optional()
      .describe(
        'A generation stops when this many of its last sentences are alike but for numbers and single words.',
      ),
    stall: z
      .number()
      .int()
      .min(4)
      .max(limits.answerTokensMax)
      .optional()
      .describe(
        'An answer with a schema stops after this many tokens in which nothing opens, closes or begins.',
      ),
    resample: z
      .strictObject({
        times: z.number().int().min(1).max(limits.correctionsMax).default(2),
        temperature: z.number().min(0).max(2).default(0.7),
      })
      .optional()
      .describe(
        'When a detector fires, the tokens that are no longer good are taken back and sampled again at this temperature, before the generation is given up. Where the backend cannot take tokens back, it is given up at once.',
      ),
    retries: z.number().int().min(0).max(8).default(2).describe('Attempts after the first one.'),
    temperatures: z
      .array(z.number().min(0).max(2))
      .max(8)
      .default([0.4, 0.7])
      .describe('Temperature of each retry; the last one holds for the rest.'),
    grounding: z
      .string()
      .optional()
      .describe(
        'Prompt template of a retry. {{facts}} are the sentences of the document that matter most to the question, {{results}} those of accepted results of earlier steps; {{#reasons}} are the doubts.',
      ),
    ...runWatchShape,
  })
  .describe('How the supervisor watches and corrects this agent.');

const checkSchema = z
  .strictObject({
    use: name.describe('Name of a check.'),
    with: z.record(z.string(), json).default({}).describe('Parameters of the check.'),
  })
  .describe('A verification in code of the answer of an agent.');

const agentSchema = z
  .strictObject({
    role: z.string().max(200).optional().describe('What the agent is for, for people.'),
    system: z.string().optional().describe('System prompt, a Mustache template.'),
    model: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe(
        'Model that the endpoint is asked for, or the name of the one that serves here; without it whichever serves.',
      ),
    prompt: z
      .string()
      .describe('Prompt, a Mustache template over document, steps, each, items and run.'),
    output: z
      .record(z.string(), json)
      .optional()
      .describe('JSON Schema of the answer. Without it the answer is text.'),
    privacy: privacySchema.optional(),
    clearance: agentClearance,
    temperature: z.number().min(0).max(2).default(0),
    priority: z
      .enum(['high', 'normal', 'low'])
      .optional()
      .describe('Which generations are served first where several wait; none waits for ever.'),
    tools: z.array(name).max(16).default([]).describe('Tools that the answer may call.'),
    turns: z
      .number()
      .int()
      .min(2)
      .max(limits.agentTurnsMax)
      .optional()
      .describe(
        'The agent reads the result of each call and goes on until it answers without one: generations at most, retries not counted. Without it a call ends the step.',
      ),
    limits: z
      .strictObject({
        maxTokens: z.number().int().min(1).max(limits.answerTokensMax).default(256),
        timeoutMs: z.number().int().min(100).max(limits.generationMsMax).default(30_000),
        memoryMb: z
          .number()
          .int()
          .min(8)
          .max(limits.sandboxMemoryMbMax)
          .default(limits.sandboxMemoryMbDefault),
      })
      .prefault({}),
    context: contextPolicySchema.optional(),
    supervise: superviseSchema.prefault({}),
    pins: pinsSchema.optional(),
    checks: z.array(checkSchema).max(16).default([]),
    validate: validateSchema.optional(),
  })
  .describe('An agent: a prompt, an answer format and the limits of both.');

const toolSchema = z
  .strictObject({
    description: z.string().optional(),
    actuator: z.enum(['file', 'sandbox', 'http']).describe('Who carries the call out.'),
    operation: name,
    arguments: z
      .record(z.string(), json)
      .describe(
        'Arguments of the operation; strings are Mustache templates over the arguments of the call.',
      ),
    parameters: z.array(name).describe('Arguments that a call has to give.'),
    mount: z
      .literal('document')
      .optional()
      .describe(
        'Of a sandbox tool: the script has the text of the document of its step, at /docs and its name.',
      ),
    result: z
      .string()
      .optional()
      .describe(
        'What an agent with turns reads of a call, a Mustache template over {{result}}. Without it the result as JSON.',
      ),
  })
  .describe('A tool: how a call in an answer becomes an operation of an actuator.');

const stepSchema = z
  .strictObject({
    id: name,
    agent: name
      .optional()
      .describe('The agent that does the step; a step without one only writes.'),
    needs: z
      .array(name)
      .max(limits.pipelineStepsMax)
      .default([])
      .describe('Steps that come first.'),
    map: z.literal('documents').optional().describe('Once for each document, in parallel.'),
    each: z
      .string()
      .optional()
      .describe(
        'Path of a list, such as steps.extract.output.claims: the agent is asked once for each element, {{each}}.',
      ),
    privacy: privacySchema.optional(),
    handoff: handoffSchema.optional(),
    reduce: z
      .strictObject({
        step: name.describe('Step over each document whose results are merged.'),
        atOnce: z
          .number()
          .int()
          .min(2)
          .max(limits.reduceAtOnceMax)
          .default(8)
          .describe('Results that one question merges, at most.'),
        maxCharacters: z
          .number()
          .int()
          .min(200)
          .max(limits.documentBytesMax)
          .default(4_000)
          .describe('Characters of the statements of one question, at most.'),
        support: z
          .number()
          .min(0)
          .max(1)
          .default(0.6)
          .describe('Share of the words of a merged statement that its sources must have.'),
        keep: z
          .boolean()
          .default(false)
          .describe('Statements that no merged one cites go on as they are, so that none is lost.'),
      })
      .optional()
      .describe(
        'The agent merges the results of a step, some at once, until one is left: {{#each.statements}}[{{number}}] {{text}}{{/each.statements}}. Each line of its answer cites the numbers that it stands on.',
      ),
    when: z
      .enum(['succeeded', 'always'])
      .default('succeeded')
      .describe('Whether the step runs although a needed step was handed to a human.'),
    retry: z
      .strictObject({
        maxAttempts: z.number().int().min(1).max(10).default(3),
        backoffMs: z.number().int().min(0).max(60_000).default(200),
        factor: z.number().min(1).max(10).default(2),
      })
      .prefault({})
      .describe(
        'After a technical failure (time limit, endpoint down), not after a doubtful answer.',
      ),
    write: z
      .strictObject({
        path: z.string().describe('File in the workspace, a Mustache template.'),
        template: z.string().describe('Content, a Mustache template.'),
        append: z
          .boolean()
          .optional()
          .describe(
            'Add to the end of the file. If a crash leaves open whether it was added, the run waits for claw resolve.',
          ),
      })
      .optional()
      .describe('A file that the step writes once its agent is done.'),
  })
  .describe('A step of the pipeline.');

export const pipelineDefinitionSchema = z.strictObject({
  name: name.describe('Name of the pipeline.'),
  description: z.string().optional(),
  input: z
    .strictObject({
      documents: z
        .strictObject({
          include: z
            .array(z.string())
            .min(1)
            .default(['*.txt', '*.md', '*.eml'])
            .describe('File names, * matches within a name.'),
          split: z
            .strictObject({
              maxCharacters: z.number().int().min(200).max(limits.documentBytesMax),
            })
            .optional()
            .describe(
              'Longer documents are split at headings, paragraphs, list items and sentences; each part is handled as a document.',
            ),
        })
        .prefault({}),
      workspace: z
        .string()
        .optional()
        .describe(
          'Folder beside the pipeline file whose files are copied into the workspace of the run.',
        ),
      ...inputLabelsShape,
    })
    .prefault({}),
  agents: z.record(name, agentSchema),
  tools: z.record(name, toolSchema).default({}),
  steps: z.array(stepSchema).min(1).max(limits.pipelineStepsMax),
  routing: routingPolicySchema.optional(),
  clearance: clearanceSchema.optional(),
  recovery: z
    .strictObject({
      write: z.strictObject({ path: z.string(), template: z.string() }),
    })
    .optional()
    .describe(
      'What happens to a document whose step was given up: a file for a human. Variables: document, step, reasons.',
    ),
  report: z
    .string()
    .optional()
    .describe('Workspace file that is the result of the run, for --out.'),
});

export type PipelineDefinition = z.output<typeof pipelineDefinitionSchema>;
export type AgentDefinition = PipelineDefinition['agents'][string];
export type ToolDefinition = PipelineDefinition['tools'][string];
export type StepDefinition = PipelineDefinition['steps'][number];
