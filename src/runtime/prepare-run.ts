/**
 * Everything that has to be true before a run begins: the pipeline is valid,
 * the documents are read and hashed, the workspace is filled. Nothing is
 * journaled here; a failure leaves no run behind.
 */
import { dirname, join, resolve } from 'node:path';
import type { Envelope } from '../actors/actor.ts';
import { checks } from '../actors/checks/index.ts';
import type { DocumentReference } from '../actors/event.ts';
import { labelOfDocument, levelsOf } from '../actors/labels.ts';
import { type MachineVersion, newestVersion } from '../actors/machines.ts';
import type { PipelineDefinition } from '../actors/pipeline-definition.ts';
import { toGrammarSchema } from '../inference/grammar-schema.ts';
import { type ModelInfo, refuseOtherModel } from '../inference/model-port.ts';
import { workspacesFolder } from '../journal/data-folders.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type Sha256, sha256 } from '../kernel/hash.ts';
import { newRunId, type RunId } from '../kernel/ids.ts';
import type { JsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { RunSize } from './admission.ts';
import type { RunSettings } from './clearance-config.ts';
import { readDocuments } from './documents.ts';
import type { RunStartedBody } from './event-record.ts';
import { labelledDefinition } from './labelled-definition.ts';
import { loadPipelineFile, parsePipelineObject } from './pipeline-file.ts';
import type { CpuPool } from './pool/client.ts';
import { rootActor } from './root-actor.ts';
import { fillWorkspace } from './run-workspace.ts';
import type { StartRunRequest } from './views.ts';

export interface PreparedRun {
  readonly run: RunId;
  readonly body: RunStartedBody;
  /** Texts of the documents and parts of the files, by hash. */
  readonly texts: ReadonlyMap<Sha256, Buffer>;
}

export interface PrepareContext {
  readonly dataDirectory: string;
  readonly pool: CpuPool;
  /** The model that serves. */
  readonly model: ModelInfo;
  /** Refuses, by throwing, a run whose actors find no place. */
  readonly admit: (size: RunSize) => void;
  readonly settings?: RunSettings;
}

interface LoadedPipeline {
  readonly definition: PipelineDefinition;
  /** Folder that relative paths of the definition begin at. */
  readonly base: string;
}

async function loadPipeline(
  pipeline: StartRunRequest['pipeline'],
  settings: PrepareContext['settings'],
): Promise<LoadedPipeline> {
  const levels = settings?.clearance?.levels;
  const options = { knownChecks: Object.keys(checks), ...(levels ? { levels } : {}) };
  if (typeof pipeline !== 'string') {
    return { definition: parsePipelineObject(pipeline, options), base: process.cwd() };
  }
  const path = resolve(pipeline);
  return { definition: await loadPipelineFile(path, options), base: dirname(path) };
}

function seedOf(request: StartRunRequest): number {
  const seed = request.seed ?? 1;
  if (Number.isInteger(seed) && seed >= 0 && seed <= limits.runSeedMax) return seed;
  throw new RuntimeError(
    'REQUEST_INVALID',
    `The seed must be a whole number from 0 to ${limits.runSeedMax}.`,
  );
}

export function modelText(model: ModelInfo): string {
  return model.sha256 === null ? model.name : `${model.name} sha256:${model.sha256}`;
}

/**
 * What the model here can never do is refused before the run, not document by
 * document. An endpoint is asked; nobody knows its models and schemas.
 */
export function refuseUnservable({ agents }: PipelineDefinition, model: ModelInfo): void {
  for (const [name, agent] of Object.entries(agents)) {
    if (model.backend === 'llama.cpp') {
      refuseOtherModel(agent.model, model);
      for (const rule of agent.supervise.rules ?? []) refuseOtherModel(rule.model, model);
    }
    const serves = model.alternatives?.find((other) => other.name === agent.model) ?? model;
    if (serves.backend !== 'llama.cpp' || agent.output === undefined) continue;
    try {
      toGrammarSchema(agent.output as JsonObject);
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      throw new RuntimeError(error.code, `agents.${name}.output: ${error.message}`, {
        cause: error,
      });
    }
  }
}

function countSteps(definition: PipelineDefinition, documents: number): number {
  const mapped = definition.steps.filter((step) => step.map !== undefined).length;
  return mapped * documents + (definition.steps.length - mapped);
}

/** The newest version of every machine that the run can start. */
function machinesOf({ agents }: PipelineDefinition): readonly MachineVersion[] {
  const always = ['pipeline', 'supervisor', 'agent'] as const;
  const validates = Object.values(agents).some(({ validate }) => validate !== undefined);
  return [...always, ...(validates ? (['panel'] as const) : [])].map(newestVersion);
}

/**
 * @throws RuntimeError of the pipeline (PIPELINE_…), the input (INPUT_…,
 *   DOCUMENT_…, TOO_MANY_DOCUMENTS), the request (REQUEST_INVALID) or the model
 *   (MODEL_UNKNOWN, SCHEMA_UNSUPPORTED), and what
 *   `admit` throws.
 */
export async function prepareRun(
  request: StartRunRequest,
  context: PrepareContext,
): Promise<PreparedRun> {
  const seed = seedOf(request);
  const loaded = await loadPipeline(request.pipeline, context.settings);
  const { clearance } = context.settings ?? {};
  const definition = labelledDefinition(loaded.definition, request.labels, clearance);
  refuseUnservable(definition, context.model);
  const found = await readDocuments(resolve(request.input.folder), definition.input, context.pool);
  const texts = new Map<Sha256, Buffer>();
  const levels = levelsOf(definition);
  const documents = found.map(({ name, text, part, range }): DocumentReference => {
    const bytes = Buffer.from(text);
    const hash = sha256(bytes);
    texts.set(hash, bytes);
    const label = levels === null ? {} : { label: labelOfDocument(definition, levels, name) };
    return { name, sha256: hash, part, ...(range === undefined ? {} : { range }), ...label };
  });
  const stepsTotal = countSteps(definition, documents.length);
  const machines = machinesOf(definition);
  context.admit({ documents, stepsTotal, machines });
  const run = newRunId();
  const target = join(workspacesFolder(context.dataDirectory), run);
  const folder = definition.input.workspace;
  const source = folder === undefined ? null : resolve(loaded.base, folder);
  const workspace = await fillWorkspace(target, source);
  for (const [hash, part] of workspace.texts) texts.set(hash, part);
  return {
    run,
    texts,
    body: {
      pipeline: definition.name,
      // Not canonical: the order of the properties of an output schema is the order of the answer.
      definition: JSON.stringify(definition),
      seed,
      model: modelText(context.model),
      documents,
      workspace: workspace.files,
      machines,
      stepsTotal,
      ...policiesOf(context),
    },
  };
}

/** The policies in force, for the first record of a run. */
export function policiesOf({
  settings,
}: Pick<PrepareContext, 'settings'>): Pick<RunStartedBody, 'policies'> {
  return settings === undefined ? {} : { policies: settings.policies };
}

/** The message that begins a run; recovery sends the very same again. */
export function rootStart(run: RunId, body: RunStartedBody): Envelope {
  const { definition, seed, documents, machines } = body;
  return {
    run,
    to: rootActor,
    from: '@runtime',
    number: 1,
    cause: null,
    machine: 'pipeline',
    machines,
    event: {
      type: 'start',
      machine: 'pipeline',
      scope: 'run',
      self: rootActor,
      definition,
      seed,
      documents,
    },
  };
}
