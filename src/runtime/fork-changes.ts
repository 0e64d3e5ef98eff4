/**
 * What a fork is asked to do otherwise: settings of agents, which become
 * another definition, and outcomes of intentions that were in flight.
 */
import { checks } from '../actors/checks/index.ts';
import type { Outcome } from '../actors/outcome.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../kernel/json.ts';
import type { OpenThere } from './fork-inspection.ts';
import { givenOutcomeSchema } from './given-outcome.ts';
import { parsePipelineObject } from './pipeline-file.ts';

/** Settings of an agent that a fork can change. */
const settings = ['model', 'temperature', 'prompt', 'system'] as const;
type Setting = (typeof settings)[number];

const outcomeName = 'outcome';

/**
 * The definition with the changes. `model` and `temperature` are of every agent,
 * `AGENT.model` of one; so are `prompt` and `system`, which need the agent's name
 * where there are several.
 * @returns the same text where nothing changes.
 * @throws RuntimeError FORK_INVALID, PIPELINE_INVALID
 */
export function changedDefinition(definition: string, set: JsonObject): string {
  const parsed = JSON.parse(definition) as { agents: Record<string, JsonObject> };
  const agents = structuredClone(parsed.agents);
  for (const [name, value] of Object.entries(set)) {
    if (name === outcomeName) continue;
    const { agent, setting } = settingOf(name);
    for (const changed of agentsOf(agents, agent, setting)) changed[setting] = value;
  }
  const text = JSON.stringify({ ...parsed, agents });
  if (text === definition) return definition;
  return JSON.stringify(
    parsePipelineObject({ ...parsed, agents }, { knownChecks: Object.keys(checks) }),
  );
}

function settingOf(name: string): { agent: string | null; setting: Setting } {
  const dot = name.lastIndexOf('.');
  const agent = dot === -1 ? null : name.slice(0, dot);
  const setting = settings.find((each) => each === name.slice(dot + 1));
  if (setting !== undefined) return { agent, setting };
  throw invalid(
    `${name} cannot be set; set ${settings.join(', ')} or AGENT.SETTING, or ${outcomeName}.`,
  );
}

function agentsOf(
  agents: Readonly<Record<string, JsonObject>>,
  agent: string | null,
  setting: Setting,
): { [name: string]: Json }[] {
  const names = Object.keys(agents).join(', ');
  if (agent !== null) {
    const found = Object.hasOwn(agents, agent) ? agents[agent] : undefined;
    if (found === undefined) throw invalid(`There is no agent ${agent}; there are ${names}.`);
    return [found];
  }
  const all = Object.values(agents);
  if ((setting === 'prompt' || setting === 'system') && all.length !== 1) {
    throw invalid(`Say whose ${setting} it is, as in AGENT.${setting}; there are ${names}.`);
  }
  return all;
}

/**
 * Outcomes that are given, by the place of their intention. One outcome alone
 * is that of the only intention in flight.
 * @throws RuntimeError FORK_INVALID
 */
export function changedOutcomes(
  set: JsonObject,
  open: readonly OpenThere[],
): Readonly<Record<string, Outcome>> {
  const given = set[outcomeName];
  if (given === undefined) return {};
  const single = givenOutcomeSchema.safeParse(given);
  if (single.success) return { [onlyPlace(open)]: single.data };
  if (!isJsonObject(given)) throw notAnOutcome();
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const parsed = givenOutcomeSchema.safeParse(value);
      if (!parsed.success) throw notAnOutcome();
      return [placeNamed(name, open), parsed.data];
    }),
  );
}

function onlyPlace(open: readonly OpenThere[]): string {
  const [only] = open;
  if (only !== undefined && open.length === 1) return only.place;
  throw invalid(
    only === undefined
      ? 'No intention is in flight there, so no outcome can be given; fork at an earlier event.'
      : `Several intentions are in flight there; give an object of outcomes by key: ${shown(open)}.`,
  );
}

/** By its place, or by its whole key, which has the run before it. */
function placeNamed(name: string, open: readonly OpenThere[]): string {
  const found = open.find(({ place }) => name === place || name.endsWith(`:${place}`));
  if (found !== undefined) return found.place;
  const known = open.length === 0 ? 'none is' : shown(open);
  throw invalid(`No intention ${name} is in flight there; in flight: ${known}.`);
}

function shown(open: readonly OpenThere[]): string {
  const named = open.slice(0, 10).map(({ place, operation }) => `${place} (${operation})`);
  return open.length > named.length ? `${named.join(', ')}, …` : named.join(', ');
}

function notAnOutcome(): RuntimeError {
  return invalid(
    'An outcome is {"status":"completed","value":…} or {"status":"failed","error":{"code":…,"message":…}}, or an object of these by key.',
  );
}

function invalid(message: string): RuntimeError {
  return new RuntimeError('FORK_INVALID', message);
}
