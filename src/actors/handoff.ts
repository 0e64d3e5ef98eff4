/**
 * How the agent of one step goes on where the agent of another has ended: with the
 * whole conversation, whose values a model may still hold, or with what matters of it.
 * Pure.
 *
 * Invariants
 *   H1. A conversation is named by its hash; nothing of it is copied (law D6).
 *   H2. A snapshot says nothing that the sender or the document has not said.
 *   H3. A step that nobody goes on from has the result that it always had.
 */
import { z } from 'zod';
import { isJsonObject, type Json } from '../kernel/json.ts';
import type { ContextNode } from './context-node.ts';
import { namesOf } from './detectors/contradiction.ts';
import { quantitiesOf } from './detectors/quantities.ts';
import { textsOf } from './detectors/run-knowledge.ts';
import { relevantFacts } from './facts.ts';
import type { Handover } from './handover.ts';
import type { AgentDefinition, PipelineDefinition } from './pipeline-definition.ts';
import { pipelineName } from './pipeline-name.ts';
import { sentencesOf } from './sentences.ts';
import type { StepResult } from './step-result.ts';

export const handoffSchema = z
  .strictObject({
    from: pipelineName.describe('Step whose agent hands over, one of needs.'),
    as: z
      .enum(['auto', 'context', 'snapshot'])
      .default('auto')
      .describe(
        'context: the whole conversation goes on; both agents have turns and the same model. snapshot: objectives, facts, entities and decisions come before the prompt. auto: the context where that is possible.',
      ),
  })
  .describe('The agent goes on where the agent of another step has ended.');

/** Whether a step of the pipeline goes on from this one (H3). */
export function isHandedOver({ steps }: PipelineDefinition, step: string): boolean {
  return steps.some(({ handoff }) => handoff?.from === step);
}

/** Why two agents cannot share a conversation; null when they can. */
export function contextObstacle(
  sender: AgentDefinition | null,
  receiver: AgentDefinition | null,
): string | null {
  if (sender?.turns === undefined) return 'the agent that hands over has no turns';
  if (receiver?.turns === undefined) return 'the agent that goes on has no turns';
  if (sender.model !== receiver.model) return 'the agents name different models';
  if (receiver.context !== undefined) {
    return 'the agent that goes on keeps its context within a budget, and does not have what came before';
  }
  return null;
}

/** The first node of a conversation that goes on from another one. */
export function continued({ context, answer }: Handover, prompt: string): ContextNode {
  return {
    parent: context,
    items: [
      ...(answer === '' ? [] : [{ role: 'assistant' as const, content: answer }]),
      { role: 'user', content: prompt },
    ],
  };
}

export interface SnapshotMatter {
  readonly from: string;
  readonly role: string | undefined;
  readonly result: StepResult;
  /** Text of the document; empty without one. */
  readonly document: string;
  /** What the receiver is asked. */
  readonly question: string;
}

/** What matters of a conversation that does not come along (H2), as text before a prompt. */
export function handoffSnapshot(matter: SnapshotMatter): string {
  const { from, role, result, document, question } = matter;
  const decisions = textsOf(saidIn(result.output));
  const facts = document === '' ? [] : [relevantFacts(document, question)];
  const parts: readonly (readonly [string, readonly string[]])[] = [
    ['Objectives', result.handover?.objectives ?? []],
    ['Facts', facts.filter((fact) => fact !== '')],
    ['Names, dates and numbers', entitiesOf([...decisions, ...facts])],
    ['Decisions', decisions],
    ['Doubts', result.reasons],
  ];
  const told = parts
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => `${title}:\n${lines.map((line) => `- ${line}`).join('\n')}`);
  const who = role === undefined ? from : `${from} (${role})`;
  return [`Handed over from ${who}.`, ...told].join('\n');
}

/** Without the word that there is no call. */
function saidIn(output: Json): Json {
  if (!isJsonObject(output) || output.tool !== 'none') return output;
  const { tool: _none, ...said } = output;
  return said;
}

function entitiesOf(texts: readonly string[]): string[] {
  const found = texts
    .flatMap(sentencesOf)
    .flatMap((text) => [...namesOf(text), ...quantitiesOf(text).map((each) => each.text)]);
  return [...new Set(found.map((each) => each.replace(/[.,;:]+$/, '')))];
}
