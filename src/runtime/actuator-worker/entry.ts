/**
 * Thread of the actuators: intentions come in over the bus, pass the gateway,
 * and go back as outcomes to the host that owns the actor by then.
 */
import { join } from 'node:path';
import { isMainThread, workerData } from 'node:worker_threads';
import type { Outcome } from '../../actors/outcome.ts';
import { blobsActuator } from '../../actuators/blobs.ts';
import { clockActuator } from '../../actuators/clock.ts';
import { fileActuator } from '../../actuators/file.ts';
import { ActuatorGateway } from '../../actuators/gateway.ts';
import { inferenceActuator } from '../../actuators/inference.ts';
import { sandboxActuator } from '../../actuators/sandbox.ts';
import { type BusMessage, openEndpoint, type ThreadId } from '../../bus/endpoint.ts';
import { KeyDirectory, type KeyRegistration } from '../../identity/key-directory.ts';
import { workspacesFolder } from '../../journal/data-folders.ts';
import { JournalReader } from '../../journal/journal-reader.ts';
import { assert } from '../../kernel/assert.ts';
import { systemClock } from '../../kernel/clock.ts';
import { RuntimeError, toErrorMessage } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { SandboxPool } from '../../sandbox/sandbox.ts';
import { ActorDirectory } from '../actor-directory.ts';
import { DurableWaiters } from '../durable-waiters.ts';
import { InferenceClient } from '../inference-worker/client.ts';
import { type DurableNotice, durableTopic } from '../journal-worker/protocol.ts';
import {
  type AbortMessage,
  hostThread,
  inferenceThread,
  mainThread,
  type OutcomeMessage,
  type RunEndedMessage,
  topics,
} from '../topics.ts';
import type { ActMessage, ActuatorWorkerData, HostKeyMessage } from './protocol.ts';

const sendRetryMs = 5;

assert(!isMainThread, 'the actuators run in a worker thread');
const data = workerData as ActuatorWorkerData;
const endpoint = openEndpoint(data.endpoint);
const owners = new ActorDirectory(data.directory);
const keys = new KeyDirectory();
const durable = new DurableWaiters();
const sandbox = new SandboxPool({ size: limits.sandboxPoolSize });
const inference = new InferenceClient(endpoint, { worker: inferenceThread, streamTo: mainThread });
const journal = JournalReader.open(data.dataDirectory);

const gateway = new ActuatorGateway({
  actuators: [
    fileActuator(),
    clockActuator(),
    sandboxActuator(sandbox),
    inferenceActuator(inference),
    blobsActuator({
      lookup: (hash) => {
        // Blobs are read rarely, so the index catches up only now.
        for (const _group of journal.groups(durable.end));
        return journal.blob(hash);
      },
    }),
  ],
  keys,
  clock: systemClock,
  workspaceOf: (run) => join(workspacesFolder(data.dataDirectory), run),
  whenDurable: (position) => durable.whenDurable(position),
});

/** Sends without loss: a full outbox is tried again, and the event loop goes on. */
function send(to: ThreadId, topic: number, body: unknown): void {
  if (!endpoint.send(to, topic, body)) setTimeout(() => send(to, topic, body), sendRetryMs);
}

let nextHost = 0;

/** The host that owns the actor; for a hibernated one any host, which will wake it. */
function hostFor(message: OutcomeMessage): ThreadId | null {
  const owner = owners.lookup(message.run, message.actor);
  if (owner.state === 'absent') return null;
  if (owner.state === 'owned') return hostThread(owner.host);
  nextHost = (nextHost + 1) % data.hosts;
  return hostThread(nextHost);
}

async function performed({ request }: ActMessage): Promise<Outcome> {
  if (request.actuator === 'blobs') await durable.whenDurable(request.journalPosition);
  const { key: _key, ...outcome } = await gateway.perform(request);
  return outcome;
}

async function carryOut(act: ActMessage): Promise<void> {
  const { tag, request } = act;
  const { run, actor, key } = request as unknown as Pick<OutcomeMessage, 'run' | 'actor' | 'key'>;
  const answer = (outcome: Outcome): void => {
    const message: OutcomeMessage = { run, actor, key, tag, outcome };
    const to = hostFor(message);
    if (to !== null) send(to, topics.outcome, message);
  };
  try {
    answer(await performed(act));
  } catch (error) {
    // A failed journal ends the process; until then an intention that waits for it has no outcome.
    if (error instanceof RuntimeError && error.code === 'JOURNAL_FAILED') return;
    // Such as an outcome that does not fit the bus: the actor has to hear of it.
    answer({ status: 'failed', error: toErrorMessage(error) });
  }
}

async function close(): Promise<void> {
  await Promise.all([gateway.close(), sandbox.close()]);
  journal.close();
  endpoint.send(mainThread, topics.closed, { host: null });
  while (!endpoint.flush()) await new Promise((resolve) => setTimeout(resolve, sendRetryMs));
  endpoint.close();
}

function handle(message: BusMessage): void {
  if (inference.handle(message)) return;
  const { topic, body } = message;
  switch (topic) {
    case durableTopic:
      durable.advance(body as DurableNotice);
      return;
    case topics.act:
      void carryOut(body as ActMessage);
      return;
    case topics.abort:
      gateway.abort((body as AbortMessage).key);
      return;
    case topics.register:
      keys.register(body as KeyRegistration);
      return;
    case topics.hostKey: {
      const { host, publicKey } = body as HostKeyMessage;
      keys.addHost(host, publicKey as Parameters<KeyDirectory['addHost']>[1]);
      return;
    }
    case topics.runEnded:
      gateway.endRun((body as RunEndedMessage).run);
      return;
    case topics.journalFailed:
      durable.fail(new RuntimeError('JOURNAL_FAILED', 'The journal has failed.'));
      return;
    case topics.close:
      void close();
      return;
    default:
      assert(false, `the actuators know the topic ${topic}`);
  }
}

endpoint.listen(handle);
