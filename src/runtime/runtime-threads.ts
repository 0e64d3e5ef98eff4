/**
 * Starts and stops the threads of a runtime, in the order in which they need
 * each other: journal, actuators, inference, hosts; and back.
 *
 * Invariants
 *   T1. The keys of the hosts are known to the gateway before any intention.
 *   T2. At the stop the journal ends last, so that whatever the others still
 *       claim is written.
 */
import { availableParallelism } from 'node:os';
import {
  type BusSeat,
  createBus,
  type Endpoint,
  openEndpoint,
  type ThreadId,
} from '../bus/endpoint.ts';
import type { ModelInfo } from '../inference/model-port.ts';
import { allocateJournalMemory, JournalProducer } from '../journal/journal-producer.ts';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { ActorDirectory } from './actor-directory.ts';
import { type ActuatorWorker, startActuatorWorker } from './actuator-worker/client.ts';
import type { RuntimeConfig } from './config.ts';
import { type HostWorker, startHostWorker } from './host-worker/client.ts';
import { type InferenceWorker, startInferenceWorker } from './inference-worker/client.ts';
import { type JournalWorkerClient, startJournalWorker } from './journal-worker/client.ts';
import { modelSettings } from './model-settings.ts';
import {
  actuatorThread,
  hostThread,
  inferenceThread,
  journalThread,
  mainThread,
  topics,
} from './topics.ts';

export interface RuntimeThreads {
  readonly endpoint: Endpoint;
  readonly journal: JournalWorkerClient;
  readonly producer: JournalProducer;
  readonly directory: ActorDirectory;
  readonly inference: InferenceWorker;
  readonly model: Promise<ModelInfo>;
  readonly hosts: readonly HostWorker[];
  readonly names: readonly string[];
  /** Ends every thread. Resolves within limits.shutdownMsMax. */
  stop(): Promise<void>;
}

function hostCount(config: RuntimeConfig): number {
  return Math.min(limits.hostsMax, config.hosts ?? Math.max(1, availableParallelism() - 1));
}

function seatOf(seats: ReadonlyMap<ThreadId, BusSeat>, id: ThreadId): BusSeat {
  const seat = seats.get(id);
  assert(seat !== undefined, `thread ${id} has a seat`);
  return seat;
}

function threadFailure(name: string, cause: Error | null): RuntimeError {
  const message = `The ${name} thread ended unexpectedly${cause === null ? '' : `: ${cause.message}`}; start the runtime again.`;
  return new RuntimeError('INTERNAL', message, cause === null ? {} : { cause });
}

/** Waits for the promise, but no longer than the time a stop may take. */
async function withDeadline(promise: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  // Three such waits, one after the other, stay within the whole.
  const timer = setTimeout(resolve, limits.shutdownMsMax / 4);
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

/**
 * @param onFailure Called when a thread ends that nobody stopped.
 * @throws RuntimeError JOURNAL_CORRUPT, DATA_VERSION_NEWER, DISK_FULL, JOURNAL_FAILED
 */
export async function startThreads(
  config: RuntimeConfig,
  onFailure: (error: RuntimeError) => void,
): Promise<RuntimeThreads> {
  const { dataDirectory } = config;
  const count = hostCount(config);
  const hostIds = Array.from({ length: count }, (_, index) => hostThread(index));
  const seats = createBus([
    { id: mainThread, waits: 'event-loop' },
    { id: journalThread, waits: 'atomics' },
    { id: actuatorThread, waits: 'event-loop' },
    { id: inferenceThread, waits: 'event-loop' },
    ...hostIds.map((id) => ({ id, waits: 'atomics' as const })),
  ]);
  const endpoint = openEndpoint(seatOf(seats, mainThread).spec);
  const directoryMemory = ActorDirectory.allocate();
  const memory = allocateJournalMemory();
  let stopping = false;
  const failed = (name: string) => (cause: Error | null) => {
    if (!stopping) onFailure(threadFailure(name, cause));
  };

  const journal = await startJournalWorker({
    dataDirectory,
    seat: seatOf(seats, journalThread),
    notify: [mainThread, actuatorThread],
    memory,
  });
  journal.onFailure((error) => {
    if (stopping) return;
    endpoint.send(actuatorThread, topics.journalFailed, null);
    onFailure(error);
  });
  journal.onRefused((error) => onFailure(error));

  const actuators: ActuatorWorker = startActuatorWorker(
    seatOf(seats, actuatorThread),
    { dataDirectory, directory: directoryMemory, hosts: count },
    failed('actuator'),
  );
  const inference = startInferenceWorker({
    endpoint,
    seat: seatOf(seats, inferenceThread),
    model: modelSettings(config),
    onFailure: (error) => {
      if (!stopping) onFailure(error);
    },
  });
  const started: HostWorker[] = [];
  const stop = async (): Promise<void> => {
    stopping = true;
    for (const id of hostIds) endpoint.send(id, topics.close, null);
    await withDeadline(Promise.all(started.map(({ exited }) => exited)));
    endpoint.send(actuatorThread, topics.close, null);
    await withDeadline(Promise.all([actuators.exited, inference.close()]));
    await Promise.all([...started.map((host) => host.terminate()), actuators.terminate()]);
    await withDeadline(journal.close()); // (T2)
    endpoint.close();
  };
  const startHosts = hostIds.map(async (id, index) => {
    const seat = seatOf(seats, id);
    const data = { index, count, dataDirectory, journal: memory, directory: directoryMemory };
    const host = await startHostWorker(
      { ...data, endpoint: seat.spec },
      seat.transferList,
      (_, error) => failed(`host ${index}`)(error),
    );
    started.push(host);
    return host;
  });
  const hosts = await Promise.all(startHosts).catch(async (error: unknown) => {
    await Promise.allSettled(startHosts);
    await stop();
    throw error;
  });
  for (const { index, publicKey } of hosts) {
    endpoint.send(actuatorThread, topics.hostKey, { host: `host-${index}`, publicKey }); // (T1)
  }

  return {
    endpoint,
    journal,
    producer: new JournalProducer(memory),
    directory: new ActorDirectory(directoryMemory),
    inference,
    model: inference.ready,
    hosts,
    names: [
      'main',
      'journal',
      'actuators',
      'inference',
      ...hosts.map(({ index }) => `host-${index}`),
    ],
    stop,
  };
}
