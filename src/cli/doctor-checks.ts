/**
 * What `claw doctor` looks at. Every check ends in a finding and none throws:
 * a native package that crashes does so in a child process, where it is a
 * finding too.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { doorSettings } from '../api/door-settings.ts';
import { AccessFile } from '../identity/access-file.ts';
import { systemClock } from '../kernel/clock.ts';
import { errorCatalogue, exitStatus, RuntimeError } from '../kernel/errors.ts';
import { isJsonObject } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import { siblingModule } from '../kernel/module-url.ts';
import { embeddedModelFile, type RuntimeConfig } from '../runtime/config.ts';
import { isolatedVmFiles } from '../sandbox/isolated-vm-files.ts';
import type { CommandContext } from './command.ts';
import { findServer } from './connect.ts';
import { layerFindings } from './doctor-layers.ts';
import { type Finding, failed, failedWith, ok, warning } from './finding.ts';
import { requireFreePort } from './free-port.ts';
import { withReadOnly } from './read-only.ts';

type Check = (context: CommandContext) => Promise<Finding>;

const nodeMajorMin = 24;
const probeMsMax = 60_000;
const endpointMsMax = 5_000;
const freeBytesMin = 1024 ** 3;
const runFile = promisify(execFile);

/** Packages with a native part, and what Node.js needs to load them. */
const nativePackages: Readonly<Record<string, readonly string[]>> = {
  'isolated-vm': ['--no-node-snapshot'],
  'node-llama-cpp': [],
};

const checks: readonly Check[] = [
  checkNode,
  ...Object.entries(nativePackages).map(
    ([name, flags]): Check =>
      () =>
        checkNative(name, flags),
  ),
  checkSandbox,
  checkModel,
  checkDataDirectory,
  checkJournal,
  checkSnapshots,
  checkAudit,
  checkPort,
  checkDoor,
];

/** One after the other, so that they do not disturb each other. */
export async function examine(context: CommandContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { models } = context.config;
  for (const check of checks) {
    findings.push(await check(context));
    if (check === checkSandbox) {
      findings.push(...layerFindings(await context.services.sandboxLayers(), context.config));
    }
    if (check === checkModel && models !== undefined) findings.push(await checkModels(context));
  }
  return findings;
}

/** Damaged data weighs more than whatever else is wrong: no other remedy brings it back. */
export function examinationStatus(findings: readonly Finding[]): number {
  const failures = findings.filter(({ status }) => status === 'failed');
  if (failures.length === 0) return exitStatus.ok;
  const isDamaged = failures.some(
    ({ code }) => code !== undefined && errorCatalogue[code].exit === exitStatus.dataDamaged,
  );
  return isDamaged ? exitStatus.dataDamaged : exitStatus.environment;
}

async function checkNode(): Promise<Finding> {
  const check = 'node';
  const { node } = process.versions;
  return Number.parseInt(node, 10) >= nodeMajorMin
    ? ok(check, `Node.js ${node} on ${process.platform} ${process.arch}.`)
    : failed(check, `Node.js ${node} is too old; install ${nodeMajorMin} or newer.`);
}

async function checkNative(name: string, flags: readonly string[]): Promise<Finding> {
  const entry = fileURLToPath(siblingModule(import.meta.url, 'native-probe-entry'));
  try {
    await runFile(process.execPath, [...flags, entry, name], { timeout: probeMsMax });
  } catch (error) {
    const { code, signal, stderr } = error as { code?: unknown; signal?: unknown; stderr?: string };
    const why = /^\w*Error.*$/m.exec(stderr ?? '')?.[0] ?? `it ended with ${signal ?? code}`;
    return failed(name, `The package does not work (${why}); run npm ci again on this machine.`);
  }
  try {
    // An older one works too, but lets scripts out.
    if (name === 'isolated-vm') return ok(name, `Version ${isolatedVmFiles().version} works.`);
    return ok(name, 'The package loads and works.');
  } catch (error) {
    return failedWith(name, error);
  }
}

async function checkSandbox({ services, config }: CommandContext): Promise<Finding> {
  const check = 'sandbox';
  try {
    const sandbox = await services.openSandbox(config);
    try {
      const { ok: done, value, error, usage } = await sandbox.execute({ source: '6 * 7' });
      return done && value === 42
        ? ok(check, `A script ran and ended in ${Math.round(usage.wallMs)} ms.`)
        : failed(check, `A script gave no right answer: ${error?.message ?? String(value)}`);
    } finally {
      await sandbox.close();
    }
  } catch (error) {
    return failedWith(check, error);
  }
}

async function checkModel({ config, services }: CommandContext): Promise<Finding> {
  const check = 'model';
  const { baseUrl, file } = config.model;
  if (baseUrl !== undefined) return checkEndpoint(check, baseUrl, config.model.apiKey);
  const path = file ?? embeddedModelFile();
  try {
    const { name } = await services.inspectModel(path);
    return file === undefined
      ? ok(check, 'The embedded demonstration model; name your own with --model FILE.')
      : ok(check, `${path} is a whole GGUF file, ${name}.`);
  } catch (error) {
    return failedWith(check, error);
  }
}

/** Of `models:` in the configuration: whole files that fit under the cap, and keys. Asks no endpoint. */
async function checkModels({ config, services }: CommandContext): Promise<Finding> {
  const check = 'models';
  try {
    const models = await services.configuredModels(config);
    const unreadable = models.filter(({ memoryBytes }) => memoryBytes === null);
    if (unreadable.length > 0) {
      return failed(
        check,
        `No whole GGUF file: ${namesOf(unreadable)}; check the paths in models:.`,
      );
    }
    const capBytes = (config.modelMemoryMb ?? Number.POSITIVE_INFINITY) * 1024 ** 2;
    const large = models.filter(({ memoryBytes }) => (memoryBytes ?? 0) > capBytes);
    return large.length === 0
      ? ok(check, `${models.length} models, the default one among them: ${namesOf(models)}.`)
      : failed(
          check,
          `Alone over modelMemoryMb: ${namesOf(large)}; raise it, or give them fewer sequences.`,
        );
  } catch (error) {
    return failedWith(check, error);
  }
}

function namesOf(models: readonly { readonly name: string }[]): string {
  return models.map(({ name }) => name).join(', ');
}

async function checkEndpoint(
  check: string,
  baseUrl: string,
  apiKey: string | undefined,
): Promise<Finding> {
  try {
    const response = await fetch(`${baseUrl.replace(/\/$/, '')}/models`, {
      headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(endpointMsMax),
    });
    if (!response.ok) {
      return failed(
        check,
        `${baseUrl} answers with status ${response.status}; check the address and OPENCLAW_API_KEY.`,
      );
    }
    const list: unknown = await response.json().catch(() => null);
    return isJsonObject(list) && Array.isArray(list.data)
      ? ok(check, `${baseUrl} answers and lists its models.`)
      : failed(
          check,
          `${baseUrl} answers, but not as the protocol says; check that it ends where an OpenAI-compatible API begins, usually /v1.`,
        );
  } catch {
    return failed(
      check,
      `${baseUrl} does not answer; check OPENCLAW_BASE_URL and that the server runs.`,
    );
  }
}

async function checkDataDirectory({ config, services }: CommandContext): Promise<Finding> {
  const check = 'data directory';
  const path = config.dataDirectory;
  const existing = nearestExisting(path);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
  } catch {
    return failed(check, `${existing} is not writable; choose another directory with --data.`);
  }
  const { bavail, bsize } = statfsSync(existing);
  const free = bavail * bsize;
  if (free < limits.segmentBytes) {
    return failed(
      check,
      `Only ${Math.floor(free / 1024 ** 2)} MiB are free at ${existing}, too little for a part of the journal; free some disk space.`,
    );
  }
  if (free < freeBytesMin) {
    return warning(
      check,
      `Only ${Math.floor(free / 1024 ** 2)} MiB are free at ${existing}; free some disk space.`,
    );
  }
  const owner = await services.owner(path);
  const state = existsSync(path) ? 'is writable' : 'does not exist yet and can be created';
  const whose = owner === null ? 'nobody uses it' : `process ${owner.pid} uses it`;
  return ok(check, `${path} ${state}; ${whose}; ${Math.floor(free / 1024 ** 3)} GiB are free.`);
}

/** Version and damage: opening the journal for reading finds both. */
async function checkJournal(context: CommandContext): Promise<Finding> {
  const check = 'journal';
  if (!existsSync(context.config.dataDirectory)) return ok(check, 'There is none yet.');
  try {
    const runs = await withReadOnly(context, async (journal) => journal.runs().length);
    return ok(check, `It is readable and holds ${runs} run(s).`);
  } catch (error) {
    return failedWith(check, error);
  }
}

/** What the auditor of a running server found. */
async function checkSnapshots(context: CommandContext): Promise<Finding> {
  const check = 'snapshots';
  const how = 'claw journal verify --snapshots compares those of open runs with a full replay';
  const { services, config } = context;
  try {
    // A run in a process of its own is no server.
    const isServed = Boolean((await services.owner(config.dataDirectory))?.port);
    const server = isServed ? await findServer(context) : null;
    if (server === null) return ok(check, `No server is running; ${how}.`);
    const { taken, audited, mismatches } = (await server.health()).snapshots;
    const counts = `The server has taken ${taken} of runs and compared ${audited} with a full replay`;
    return mismatches === 0
      ? ok(check, `${counts}: all equal.`)
      : warning(check, `${counts}: ${mismatches} were wrong and are not used; report it; ${how}.`);
  } catch (error) {
    return failedWith(check, error);
  }
}

/** Whether checkpoints are taken, and a witness has seen them. */
async function checkAudit({ config }: CommandContext): Promise<Finding> {
  const check = 'audit';
  const { dataDirectory, audit } = config;
  try {
    const { auditStatus } = await import('../runtime/audit-status.ts');
    const { size, timeSeconds, cosigned } = auditStatus(dataDirectory, audit);
    if (size === 0) return ok(check, 'There is no checkpoint yet; a server signs one by itself.');
    const when =
      timeSeconds === null ? '' : `, signed ${new Date(timeSeconds * 1_000).toISOString()}`;
    const covered = `The newest checkpoint covers ${size} records${when}`;
    if (cosigned === null) {
      return ok(check, `${covered}; no witness is configured, so a rollback would not be noticed.`);
    }
    if (cosigned === size) return ok(check, `${covered}; the witness has cosigned it.`);
    const behind = `${covered}; the witness has cosigned ${cosigned}; claw audit checkpoint asks it again.`;
    return audit?.witness?.require === true ? failed(check, behind) : warning(check, behind);
  } catch (error) {
    return failedWith(check, error);
  }
}

async function checkPort(context: CommandContext): Promise<Finding> {
  const check = 'port';
  const { host, port, dataDirectory } = context.config;
  const owner = await context.services.owner(dataDirectory);
  if (owner?.port === port) return ok(check, `Port ${port} serves this data directory.`);
  return freePort(check, { host, port });
}

async function freePort(
  check: string,
  address: Pick<RuntimeConfig, 'host' | 'port'>,
): Promise<Finding> {
  try {
    await requireFreePort(address);
    return ok(check, `Port ${address.port} on ${address.host} is free.`);
  } catch (error) {
    if (error instanceof RuntimeError) return failedWith(check, error);
    throw error;
  }
}

/** Who could come in. */
async function checkDoor({ config }: CommandContext): Promise<Finding> {
  const check = 'door';
  try {
    const tokens = new AccessFile(config.dataDirectory);
    const nowMs = systemClock.nowMs();
    const { requireToken, tls } = doorSettings(config, tokens, nowMs);
    const way = `${config.host} by ${tls === null ? 'HTTP' : 'HTTPS'}`;
    if (!requireToken) return ok(check, `Every user of this machine may use the API on ${way}.`);
    return tokens.opensForAnybody(nowMs)
      ? ok(check, `The API on ${way} takes an access token.`)
      : warning(
          check,
          `The API on ${way} takes an access token, and there is none; claw access add makes one.`,
        );
  } catch (error) {
    return failedWith(check, error);
  }
}

function nearestExisting(path: string): string {
  let existing = path;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  return existing;
}
