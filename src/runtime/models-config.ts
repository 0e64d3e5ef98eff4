/**
 * The list `models:` of the configuration file: models beside the one that
 * serves by default. A key is named there by its environment variable, and is
 * itself in no file and no message.
 */
import { z } from 'zod';
import { defined } from '../kernel/defined.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { residenceProblem, residenceShape } from './model-residence.ts';

/** Models of one list; more than anybody tells apart. */
const modelsMax = 64;

const namedModelSchema = z
  .strictObject({
    name: z.string().regex(/^[\w.:/-]{1,200}$/, 'letters, digits and . : / - _ are expected'),
    file: z.string().min(1).optional(),
    baseUrl: z.url({ protocol: /^https?$/ }).optional(),
    /** Name that the endpoint knows it by. */
    model: z.string().min(1).max(200).optional(),
    apiKeyEnv: z
      .string()
      .regex(/^[A-Za-z_]\w{0,99}$/, 'the name of an environment variable is expected')
      .optional(),
    tier: z.enum(['small', 'large', 'remote']).optional(),
    ...residenceShape,
  })
  .superRefine((model, context) => {
    const problem = problemOf(model);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });

export const modelListSchema = z
  .array(namedModelSchema)
  .max(modelsMax)
  .refine((models) => new Set(models.map(({ name }) => name)).size === models.length, {
    message: 'two models have the same name',
  });

type ModelEntry = z.output<typeof namedModelSchema>;

/** One model of the list, with an absolute path and its key. */
export interface NamedModel extends ModelEntry {
  readonly apiKey?: string;
}

function problemOf({
  file,
  baseUrl,
  model,
  apiKeyEnv,
  tier,
  ...residence
}: {
  [Key in keyof ModelEntry]?: ModelEntry[Key] | undefined;
}): string | null {
  if ((file === undefined) === (baseUrl === undefined)) return 'a file or a baseUrl is expected';
  if (baseUrl === undefined) {
    if (tier === 'remote') return 'a model file is small or large, not remote';
    if (apiKeyEnv !== undefined) return 'only an endpoint has an apiKeyEnv';
    return model === undefined ? residenceProblem(residence) : 'only an endpoint has a model';
  }
  if (tier === 'small' || tier === 'large') return 'an endpoint is remote, wherever it is';
  const [given] = Object.keys(defined(residence)).filter((key) => key in residenceShape);
  return given === undefined
    ? null
    : `an endpoint says for itself what it uses; leave ${given} out`;
}

/** With the path of its file as `expand` makes it. */
export function withFile<Model extends { readonly file?: string | undefined }>(
  model: Model,
  expand: (path: string) => string,
): Model {
  return model.file === undefined ? model : { ...model, file: expand(model.file) };
}

/** With the keys that the environment has. */
export function withKeys(
  models: readonly ModelEntry[],
  environment: Readonly<Record<string, string | undefined>>,
): NamedModel[] {
  return models.map((model) => {
    const apiKey = model.apiKeyEnv === undefined ? undefined : environment[model.apiKeyEnv];
    return apiKey === undefined || apiKey === '' ? model : { ...model, apiKey };
  });
}

/**
 * Commands that open no model go without its key, the others do not.
 * @throws RuntimeError CONFIG_INVALID when a variable that should hold a key is not set
 */
export function requireKey({ name, apiKeyEnv, apiKey }: NamedModel): void {
  if (apiKeyEnv === undefined || apiKey !== undefined) return;
  throw new RuntimeError(
    'CONFIG_INVALID',
    `models: the model ${name} wants its key from ${apiKeyEnv}, which is not set; export it, or leave apiKeyEnv out.`,
  );
}
