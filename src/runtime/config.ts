/**
 * Where the settings come from: flags, then environment, then the
 * configuration file, then defaults. Read once at the start; nothing else in
 * the project reads the environment for a setting.
 *
 * Invariants
 *   C1. A higher source replaces a lower one value by value, except the model:
 *       the highest source that names a model file or an endpoint decides
 *       which of the two serves, so that `--model` beats an exported
 *       OPENCLAW_BASE_URL.
 *   C2. The API key comes from the environment alone and is in no message.
 *   C3. Every message names the flag, the variable, or the file and line.
 */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { type RoutingPolicy, routingPolicySchema } from '../actors/routing-policy.ts';
import type { SpeculationKind } from '../inference/speculation.ts';
import type { JournalMode } from '../journal/journal-writer.ts';
import { type Defined, defined } from '../kernel/defined.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { type ApiConfig, apiConfig, apiSchema, loopbackHosts, withApiPaths } from './api-config.ts';
import { type AuditConfig, auditConfigSchema } from './audit-config.ts';
import { type ClearanceConfig, clearanceConfig, clearanceShape } from './clearance-config.ts';
import { describeIssue, toPlain } from './config-problem.ts';
import { type ModelResidence, residenceProblem, residenceShape } from './model-residence.ts';
import { modelListSchema, type NamedModel, withFile, withKeys } from './models-config.ts';
import { type SandboxSettings, sandboxSettingsSchema } from './sandbox-config.ts';
import { approvalsConfigSchema, type SecuritySettings } from './security-config.ts';

export interface RuntimeConfig extends SecuritySettings, ClearanceConfig {
  /** Absolute path. */
  readonly dataDirectory: string;
  /** Where the API listens, an address or a name. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Who may come in; without it, programs on this machine. */
  readonly api?: ApiConfig;
  /** Neither `file` nor `baseUrl`: the embedded model serves. */
  readonly model: {
    /** Absolute path of a GGUF file. */
    readonly file?: string;
    /** Base of an OpenAI-compatible API. */
    readonly baseUrl?: string;
    readonly apiKey?: string;
    /** Model name that the endpoint is asked for. */
    readonly name?: string;
    /** How tokens are guessed ahead while that is faster; from the prompt without it. */
    readonly speculation?: SpeculationKind;
    /** Absolute path of the draft model. */
    readonly draft?: string;
    /** What a model file is good for; small unless said. */
    readonly tier?: 'small' | 'large';
  } & Defined<ModelResidence>;
  /** More models, loaded when they are asked for by name. */
  readonly models?: readonly NamedModel[];
  /** Mebibytes that all models together may take; without end unless said. */
  readonly modelMemoryMb?: number;
  /** One generation at a time, so that the same question gives the same tokens whatever else is asked. */
  readonly deterministic: boolean;
  /** How a model is chosen for generations that name none and bring no policy. */
  readonly routing?: RoutingPolicy;
  /** Host workers; without it, cores − 1 and at least one. */
  readonly hosts?: number;
  readonly journal: JournalMode;
  readonly audit?: AuditConfig;
  readonly sandbox?: SandboxSettings;
  readonly debug: boolean;
}

/** Values of the command line, as typed. */
export interface ConfigFlags {
  readonly data?: string | undefined;
  readonly port?: string | undefined;
  readonly model?: string | undefined;
  readonly config?: string | undefined;
  readonly journal?: string | undefined;
  readonly debug?: boolean | undefined;
  readonly deterministic?: boolean | undefined;
  readonly tokenFile?: string | undefined;
}

export interface ConfigSources {
  readonly flags: ConfigFlags;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths of flags and variables begin at. */
  readonly cwd: string;
  /** Home directory of the user; the system's by default. */
  readonly home?: string;
}

const portDefault = 7420;
const configBytesMax = 64 * 1024;
const productFolder = 'openclaw-runtime';

const journalSchema = z.enum(['durable', 'relaxed']);
const portSchema = z.number().int().min(0).max(65_535);
const urlSchema = z.url({ protocol: /^https?$/ });

const fileSchema = z.strictObject({
  data: z.string().min(1).optional(),
  host: z.enum(loopbackHosts).optional(),
  port: portSchema.optional(),
  api: apiSchema.optional(),
  hosts: z.number().int().min(1).max(limits.hostsMax).optional(),
  journal: journalSchema.optional(),
  deterministic: z.boolean().optional(),
  model: z
    .strictObject({
      file: z.string().min(1).optional(),
      baseUrl: urlSchema.optional(),
      name: z.string().min(1).optional(),
      ...residenceShape,
      speculation: z.enum(['off', 'prompt-lookup', 'draft']).optional(),
      draft: z.string().min(1).optional(),
      tier: z.enum(['small', 'large']).optional(),
    })
    .superRefine((model, context) => {
      const message = residenceProblem(model);
      if (message !== null) context.addIssue({ code: 'custom', message });
    })
    .optional(),
  models: modelListSchema.optional(),
  modelMemoryMb: z.number().int().min(1).optional(),
  routing: routingPolicySchema.optional(),
  approvals: approvalsConfigSchema.optional(),
  audit: auditConfigSchema.optional(),
  sandbox: sandboxSettingsSchema.optional(),
  ...clearanceShape,
});

type FileSettings = z.output<typeof fileSchema>;

interface ModelChoice {
  readonly file?: string | undefined;
  readonly baseUrl?: string | undefined;
}

/** The settings of this process. @throws RuntimeError CONFIG_INVALID */
export function resolveConfig(sources: ConfigSources): RuntimeConfig {
  const { flags, environment, cwd } = sources;
  const home = sources.home ?? homedir();
  const file = readConfigFile(sources, home);

  const data = flags.data ?? nonEmpty(environment.OPENCLAW_HOME);
  const dataDirectory =
    data === undefined
      ? (file.data ?? defaultDataDirectory(environment, home))
      : resolve(cwd, data);
  const port =
    parsePort(flags.port, '--port') ??
    parsePort(nonEmpty(environment.OPENCLAW_PORT), 'OPENCLAW_PORT') ??
    file.port ??
    portDefault;

  const journal =
    parseJournal(flags.journal, '--journal') ??
    parseJournal(nonEmpty(environment.OPENCLAW_JOURNAL), 'OPENCLAW_JOURNAL') ??
    file.journal ??
    'durable';

  return {
    dataDirectory,
    host: file.api?.host ?? file.host ?? '127.0.0.1',
    port,
    ...apiConfig(file.api, absolute(flags.tokenFile, cwd)),
    model: resolveModel(sources, file.model ?? {}),
    ...(file.models === undefined ? {} : { models: withKeys(file.models, environment) }),
    ...asIsOf(file),
    ...clearanceConfig(file),
    deterministic:
      flags.deterministic ??
      parseSwitch(environment, 'OPENCLAW_DETERMINISTIC') ??
      file.deterministic ??
      false,
    journal,
    ...defined({ vaultPassphrase: nonEmpty(environment.OPENCLAW_VAULT_PASSPHRASE) }),
    debug: flags.debug ?? false,
  };
}

/** Settings that the file alone has. */
function asIsOf({ modelMemoryMb, routing, hosts, audit, approvals, sandbox }: FileSettings) {
  return defined({ modelMemoryMb, routing, hosts, audit, approvals, sandbox });
}

/** The highest source that names a file or an endpoint decides (C1). */
function resolveModel(
  { flags, environment, cwd }: ConfigSources,
  file: NonNullable<FileSettings['model']>,
): RuntimeConfig['model'] {
  const baseUrl = nonEmpty(environment.OPENCLAW_BASE_URL);
  if (baseUrl !== undefined && !urlSchema.safeParse(baseUrl).success) {
    throw invalid(
      `OPENCLAW_BASE_URL is not an http or https address: ${quoted(baseUrl)}; give one such as http://127.0.0.1:8080/v1.`,
    );
  }
  const environmentFile = nonEmpty(environment.OPENCLAW_MODEL);
  const candidates: { origin: string; choice: ModelChoice }[] = [
    { origin: 'the command line', choice: { file: absolute(flags.model, cwd) } },
    {
      origin: 'the environment (OPENCLAW_MODEL, OPENCLAW_BASE_URL)',
      choice: { file: absolute(environmentFile, cwd), baseUrl },
    },
    { origin: 'the configuration file', choice: file },
  ];
  const chosen = candidates.find(
    ({ choice }) => choice.file !== undefined || choice.baseUrl !== undefined,
  );
  if (chosen?.choice.file !== undefined && chosen.choice.baseUrl !== undefined) {
    throw invalid(
      `${chosen.origin} names both a model file and an endpoint; keep the one that shall serve.`,
    );
  }
  if (chosen === undefined && file.device?.startsWith('gpu')) {
    throw invalid(
      `model.device is ${file.device}, but the embedded model, which serves, works on the processor alone; name a model file, or leave device out.`,
    );
  }
  const { file: _file, baseUrl: _baseUrl, ...others } = file;
  const name = nonEmpty(environment.OPENCLAW_MODEL_NAME) ?? file.name;
  const apiKey = nonEmpty(environment.OPENCLAW_API_KEY);
  return {
    ...(chosen?.choice.file === undefined ? {} : { file: chosen.choice.file }),
    ...(chosen?.choice.baseUrl === undefined ? {} : { baseUrl: chosen.choice.baseUrl }),
    // Only an endpoint may see the key (C2).
    ...(chosen?.choice.baseUrl === undefined || apiKey === undefined ? {} : { apiKey }),
    ...defined({ ...others, name }),
  };
}

function defaultDataDirectory(environment: ConfigSources['environment'], home: string): string {
  return join(xdg(environment.XDG_DATA_HOME) ?? join(home, '.local', 'share'), productFolder);
}

/** The XDG specification says to ignore a relative path. */
function xdg(value: string | undefined): string | undefined {
  return value !== undefined && isAbsolute(value) ? value : undefined;
}

function readConfigFile(sources: ConfigSources, home: string): FileSettings {
  const named = sources.flags.config;
  const path =
    named === undefined
      ? join(
          xdg(sources.environment.XDG_CONFIG_HOME) ?? join(home, '.config'),
          productFolder,
          'config.yaml',
        )
      : resolve(sources.cwd, named);
  let text: string;
  try {
    // Of a device or a pipe the size says nothing, and reading might never end.
    if (!statSync(path).isFile()) throw new Error('not a regular file');
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    if (absent && named === undefined) return {};
    throw new RuntimeError(
      'CONFIG_INVALID',
      `The configuration file ${path} cannot be read; check the path and its permissions.`,
      { cause },
    );
  }
  if (text.length > configBytesMax) {
    throw invalid(`${path}: the file is longer than ${configBytesMax / 1024} KiB; shorten it.`);
  }
  return parseConfigFile(text, path, home);
}

/** Relative paths in the file begin at its folder; `~/` is the home directory. */
function parseConfigFile(text: string, path: string, home: string): FileSettings {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const fault = document.errors[0];
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw invalid(`${path}:${line}:${col}: ${firstLine(fault.message)}; correct the YAML.`);
  }
  const parsed = fileSchema.safeParse(toPlain(document, path) ?? {});
  if (!parsed.success) throw invalid(describeIssue(parsed.error, { document, lines, path }));
  const expand = (value: string): string =>
    value.startsWith('~/') ? join(home, value.slice(2)) : resolve(dirname(path), value);
  const { data, model, models, api, policies, ...rest } = parsed.data;
  return {
    ...rest,
    ...(models === undefined ? {} : { models: models.map((each) => withFile(each, expand)) }),
    ...(data === undefined ? {} : { data: expand(data) }),
    ...(api === undefined ? {} : { api: withApiPaths(api, expand) }),
    ...(policies === undefined ? {} : { policies: expand(policies) }),
    ...(model === undefined ? {} : { model: withPaths(model, expand) }),
  };
}

function withPaths<Model extends { file?: string | undefined; draft?: string | undefined }>(
  model: Model,
  expand: (value: string) => string,
): Model {
  const { file, draft } = model;
  return {
    ...model,
    ...(file === undefined ? {} : { file: expand(file) }),
    ...(draft === undefined ? {} : { draft: expand(draft) }),
  };
}

function parsePort(text: string | undefined, origin: string): number | undefined {
  if (text === undefined) return undefined;
  const parsed = portSchema.safeParse(/^\d{1,5}$/.test(text) ? Number(text) : undefined);
  if (!parsed.success) {
    throw invalid(`${origin} is not a port from 0 to 65535: ${quoted(text)}; choose another.`);
  }
  return parsed.data;
}

function parseJournal(text: string | undefined, origin: string): JournalMode | undefined {
  if (text === undefined) return undefined;
  const parsed = journalSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw invalid(`${origin} is neither durable nor relaxed: ${quoted(text)}; choose one of them.`);
}

function parseSwitch(environment: ConfigSources['environment'], name: string): boolean | undefined {
  const text = nonEmpty(environment[name]);
  if (text === undefined) return undefined;
  if (text === '1' || text === '0') return text === '1';
  throw invalid(`${name} is neither 1 nor 0: ${quoted(text)}; choose one of them.`);
}

function absolute(path: string | undefined, cwd: string): string | undefined {
  return path === undefined ? undefined : resolve(cwd, path);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? text).replace(/ at line \d+, column \d+:?$/, '');
}

function invalid(message: string): RuntimeError {
  return new RuntimeError('CONFIG_INVALID', message);
}

/** Folder of the package: the parent of `src` or `dist`. */
export function packageRoot(): string {
  return resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
}

/** The GGUF file that serves when the user names no model. */
export function embeddedModelFile(): string {
  return join(packageRoot(), 'models', 'tiny-agent.gguf');
}
