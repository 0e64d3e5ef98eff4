/** A call in an answer, `{ "tool": …, "args": {…} }`, becomes an intention; a wrong one becomes a reason. */
import { assert } from '../kernel/assert.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { act } from './act.ts';
import { isKnownOperation } from './effects.ts';
import type { ActIntention } from './intention.ts';
import type { AgentDefinition, PipelineDefinition, ToolDefinition } from './pipeline-definition.ts';
import { renderTemplate } from './template.ts';

export const toolTag = 'tool';

export type ToolCall =
  | { readonly type: 'none' }
  | { readonly type: 'call'; readonly tool: string; readonly intention: ActIntention }
  | { readonly type: 'refused'; readonly reason: string };

function renderArguments(value: unknown, given: JsonObject): Json {
  if (typeof value === 'string') return renderTemplate(value, given);
  if (Array.isArray(value)) return value.map((inner) => renderArguments(inner, given));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, renderArguments(inner, given)]),
    );
  }
  return value as Json;
}

/** A generation may take longer than the sandbox lets any script run. */
export function sandboxLimits({ limits: own }: AgentDefinition): JsonObject {
  const timeoutMs = Math.min(own.timeoutMs, limits.sandboxTimeoutMsMax);
  return { timeoutMs, memoryMb: own.memoryMb };
}

/** What a step is about, for tools that have it mounted. */
interface Mountable {
  readonly name: string;
  readonly text: string;
}

/** The document beside the files that the tool's own arguments name. */
function mountOf(
  { mount }: ToolDefinition,
  rendered: JsonObject,
  document: Mountable | null,
): JsonObject {
  if (mount === undefined) return {};
  const files = isJsonObject(rendered.files) ? rendered.files : {};
  return { files: document === null ? files : { ...files, [document.name]: document.text } };
}

/** What a call is made beside. */
interface CallSetting {
  /** What the step is about. */
  readonly document?: Mountable | null;
  /** Of what the call was made of; only where the pipeline has labels. */
  readonly label?: string | undefined;
}

export function toolCallOf(
  definition: PipelineDefinition,
  agent: AgentDefinition,
  output: Json,
  { document = null, label }: CallSetting = {},
): ToolCall {
  if (agent.tools.length === 0 || !isJsonObject(output)) return { type: 'none' };
  const { tool, args } = output;
  if (typeof tool !== 'string' || tool === 'none') return { type: 'none' };
  const description = definition.tools[tool];
  if (!agent.tools.includes(tool) || description === undefined) {
    return { type: 'refused', reason: `The tool ${tool} is not granted to this agent.` };
  }
  const given = isJsonObject(args) ? args : {};
  const missing = description.parameters.filter((name) => !Object.hasOwn(given, name));
  if (missing.length > 0) {
    return { type: 'refused', reason: `The call of ${tool} lacks ${missing.join(', ')}.` };
  }
  const { actuator, operation } = description;
  if (!isKnownOperation(actuator, operation)) {
    return {
      type: 'refused',
      reason: `The tool ${tool} names the unknown operation ${actuator}.${operation}.`,
    };
  }
  const rendered = renderArguments(description.arguments, given) as JsonObject;
  const mount = actuator === 'sandbox' ? mountOf(description, rendered, document) : {};
  const labelled = label === undefined ? {} : { label };
  const added = addedArguments(definition, agent, actuator);
  const whole = { ...rendered, ...mount, ...added, ...labelled };
  return { type: 'call', tool, intention: act(toolTag, { actuator, operation }, whole) };
}

/** What neither the tool nor the answer says by itself. */
function addedArguments(
  definition: PipelineDefinition,
  agent: AgentDefinition,
  actuator: string,
): JsonObject {
  if (actuator === 'sandbox') return sandboxLimits(agent);
  return actuator === 'http' ? { subject: httpSubject(definition, agent) } : {};
}

/** Whose request it is, for the grants: the agent's, whatever its answer says. */
function httpSubject(definition: PipelineDefinition, agent: AgentDefinition): JsonObject {
  const [name] = Object.entries(definition.agents).find(([, each]) => each === agent) ?? [];
  assert(name !== undefined, 'the agent is one of its pipeline');
  return { agent: name, pipeline: definition.name };
}
