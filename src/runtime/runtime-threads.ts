/**
 * Starts and stops the threads of a runtime, in the order in which they need
 * each other: journal, actuators, inference, hosts; and back.
 *
 * Invariants
 *   T1. The authority has its key before anybody asks it for anything.
 *   T2. At the stop the journal ends last, so that whatever the others still
 *       claim is written. What is to be appended last comes when nobody else does.
 *   T3. Once a thread has ended, whatever ended it, nobody waits for what it
 *       left unfinished in a ring, and what it held in the arena is free.
 *   T4. The end of a host is told, and is no failure: hosts start again.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Envelope } from '../actors/actor.ts';
import type { BusMonitor } from '../bus/bus-monitor.ts';
import type { BusSource } from '../bus/bus-statistics.ts';
import {
  type Bus,
  createBus,
  type Endpoint,
  openEndpoint,
  seatOf,
  type ThreadId,
} from '../bus/endpoint.ts';
import { ManyToOneRingBuffer } from '../bus/many-to-one-ring-buffer.ts';
import { MessageSeal } from '../identity/message-seal.ts';
import type { PublicKey } from '../identity/signing-key.ts';
import type { ModelInfo } from '../inference/model-port.ts';
import { authorityKeyFile } from '../journal/data-folders.ts';
import { journalCounterThreads, openJournalCounters } from '../journal/journal-counters.ts';
import {
  allocateJournalMemory,
  type JournalMemory,
  JournalProducer,
} from '../journal/journal-producer.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { ActorDirectory } from './actor-directory.ts';
import { type ActuatorWorker, startActuatorWorker } from './actuator-worker/client.ts';
import type { RuntimeConfig } from './config.ts';
import { type HostDeath, HostPool } from './host-pool.ts';
import { startIdentityWorker } from './identity-worker/client.ts';
import { type InferenceWorker, startInferenceWorker } from './inference-worker/client.ts';
import { type JournalWorkerClient, startJournalWorker } from './journal-worker/client.ts';
import { modelSetSettings } from './model-settings.ts';
import { type PolicyFile, policyFilesInForce } from './policy/policy-files.ts';
import { sandboxPoolSettings } from './sandbox-config.ts';
import {
  actuatorThread,
  hostThread,
  identityThread,
  inferenceThread,
  journalThread,
  mainThread,
  type SealedEnvelope,
  topics,
} from './topics.ts';

/** Of the data directory: states of the model's sequences, while this process runs. */
const statesFolder = 'states';

export interface RuntimeThreads {
  readonly endpoint: Endpoint;
  /** The rings, counters and payloads of all threads, to look at. */
  readonly bus: BusSource;
  readonly journal: JournalWorkerClient;
  readonly producer: JournalProducer;
  readonly directory: ActorDirectory;
  readonly inference: InferenceWorker;
  readonly model: Promise<ModelInfo>;
  readonly hosts: HostPool;
  readonly names: readonly string[];
  /** Public key of the authority. */
  readonly authority: PublicKey;
  /** As threads send it to hosts. */
  sealed(envelope: Envelope): SealedEnvelope;
  /** The policies in force. */
  readonly policies: readonly PolicyFile[];
  /**
   * Ends every thread. Resolves within limits.shutdownMsMax.
   * @param last Appends what is to be appended last, within `timeMsMax`.
   */
  stop(last?: (timeMsMax: number) => Promise<void>): Promise<void>;
}

function hostCount(config: RuntimeConfig): number {
  return Math.min(limits.hostsMax, config.hosts ?? Math.max(1, availableParallelism() - 1));
}

/** The bus of the runtime: one thread of each kind, and its hosts. */
function runtimeBus(hostIds: readonly ThreadId[]): Bus {
  return createBus({
    threads: [
      { id: mainThread, name: 'main', waits: 'event-loop' },
      { id: journalThread, name: 'journal', waits: 'atomics' },
      { id: actuatorThread, name: 'actuators', waits: 'event-loop' },
      { id: inferenceThread, name: 'inference', waits: 'event-loop' },
      { id: identityThread, name: 'identity', waits: 'event-loop' },
      ...hostIds.map((id, index) => ({ id, name: `host-${index}`, waits: 'atomics' as const })),
    ],
    topics: Object.values(topics),
    arena: limits.arenaClasses,
  });
}

/** The bus and, beside it, the ring of the journal. */
function busSource(monitor: BusMonitor, memory: JournalMemory): BusSource {
  const { threads, topics: named, counters, arena } = monitor;
  const journalRing = {
    name: 'journal-ring',
    gauge: new ManyToOneRingBuffer(memory.ring),
    counters: openJournalCounters(memory.counters),
    threads: journalCounterThreads,
  };
  return {
    threads,
    topics: named,
    counters,
    arena,
    inbox: (id) => monitor.inbox(id),
    sideRings: [journalRing],
  };
}

function threadFailure(name: string, cause: Error | null): RuntimeError {
  const message = `The ${name} thread ended unexpectedly${cause === null ? '' : `: ${cause.message}`}; start the runtime again.`;
  return new RuntimeError('INTERNAL', message, cause === null ? {} : { cause });
}

/** Of such steps, one after the other, a stop has four. */
const stepMsMax = limits.shutdownMsMax / 5;

/** Waits for the promise, but no longer than a step of a stop may take. */
async function withDeadline(promise: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, stepMsMax);
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

/**
 * @param onFailure Called when a thread ends that nobody stopped, unless it is a host.
 * @param onHostDeath Called when a host ends that nobody stopped (T4).
 * @throws RuntimeError POLICY_INVALID, NATIVE_PACKAGE_MISSING, JOURNAL_CORRUPT, DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED
 */
export async function startThreads(
  config: RuntimeConfig,
  onFailure: (error: RuntimeError) => void,
  onHostDeath: (death: HostDeath) => unknown,
): Promise<RuntimeThreads> {
  const { dataDirectory } = config;
  const policies = policyFilesInForce(dataDirectory, config.policies);
  const count = hostCount(config);
  const hostIds = Array.from({ length: count }, (_, index) => hostThread(index));
  const bus = runtimeBus(hostIds);
  const { monitor } = bus;
  const endpoint = openEndpoint(seatOf(bus, mainThread).spec);
  // Before the journal begins, so that no notice is missed.
  endpoint.subscribe(topics.durable);
  endpoint.subscribe(topics.deadLetters);
  const directoryMemory = ActorDirectory.allocate();
  const memory = allocateJournalMemory();
  let stopping = false;
  const ended = (id: ThreadId, startsAgain = false): void => {
    monitor.threadEnded(id, startsAgain);
    journal.producerEnded(monitor.indexOf(id)); // (T3)
  };
  const failed = (id: ThreadId, name: string) => (cause: Error | null) => {
    ended(id);
    if (!stopping) onFailure(threadFailure(name, cause));
  };

  const journal = await startJournalWorker({
    dataDirectory,
    seat: seatOf(bus, journalThread),
    memory,
    mode: config.journal,
  });
  journal.onFailure((error) => {
    if (stopping) return;
    endpoint.send(actuatorThread, topics.journalFailed, null);
    onFailure(error);
  });
  journal.onRefused((error) => onFailure(error));

  const identity = await startIdentityWorker(
    seatOf(bus, identityThread),
    { keyFile: authorityKeyFile(dataDirectory) },
    failed(identityThread, 'identity'),
  ).catch(async (error: unknown) => {
    await journal.close();
    throw error;
  });
  const messageKey = randomBytes(32);
  const seal = new MessageSeal(messageKey);
  const actuators: ActuatorWorker = startActuatorWorker(
    seatOf(bus, actuatorThread),
    {
      dataDirectory,
      directory: directoryMemory,
      journalProgress: memory.progress,
      journalMode: config.journal,
      sandbox: sandboxPoolSettings(config.sandbox),
      hosts: count,
      authority: identity.publicKey,
      vaultPassphrase: config.vaultPassphrase ?? null,
      policies,
    },
    failed(actuatorThread, 'actuator'),
  );
  const states = join(dataDirectory, statesFolder);
  // What a killed process left; it can be read back as text.
  rmSync(states, { recursive: true, force: true });
  const inference = startInferenceWorker({
    endpoint,
    seat: seatOf(bus, inferenceThread),
    models: modelSetSettings(config, states),
    onEnded: (error) => {
      ended(inferenceThread);
      if (error !== null && !stopping) onFailure(error);
    },
  });
  const hosts = new HostPool({
    bus,
    endpoint,
    count,
    dataDirectory,
    journal: memory,
    directory: directoryMemory,
    messageKey,
    authority: identity.publicKey,
    onEnded: (id) => ended(id, !stopping),
    onDeath: (death) => onHostDeath(death),
    hear: (bell) => identity.hear(bell),
  });
  const stop: RuntimeThreads['stop'] = async (last) => {
    stopping = true;
    await withDeadline(hosts.close());
    endpoint.send(identityThread, topics.close, null);
    endpoint.send(actuatorThread, topics.close, null);
    await withDeadline(Promise.all([identity.exited, actuators.exited, inference.close()]));
    await Promise.all([hosts.end(), actuators.terminate(), identity.terminate()]);
    await last?.(stepMsMax);
    await withDeadline(journal.close()); // (T2)
    endpoint.close();
    monitor.close();
  };
  try {
    await hosts.start(); // (T1)
    await actuators.ready;
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    endpoint,
    bus: busSource(monitor, memory),
    journal,
    producer: new JournalProducer(memory, endpoint.index),
    directory: new ActorDirectory(directoryMemory),
    inference,
    model: inference.ready,
    hosts,
    policies,
    names: monitor.threads.map(({ name }) => name),
    authority: identity.publicKey,
    sealed: (envelope) => ({ envelope, seal: seal.of(envelope) }),
    stop,
  };
}
