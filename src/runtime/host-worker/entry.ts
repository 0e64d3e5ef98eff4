/**
 * Thread of one actor host: drain the inbox, step, sleep. It blocks on its
 * inbox only, on the journal when that ring is full, and on the file of a text
 * that is too large for a record.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { ActIntention } from '../../actors/intention.ts';
import { firstProblem } from '../../actuators/intention-request.ts';
import { argumentsOf } from '../../actuators/operation-arguments.ts';
import { openEndpoint, type ThreadId, type Topic } from '../../bus/endpoint.ts';
import { AuthorityVerifier } from '../../identity/authority.ts';
import { MessageSeal } from '../../identity/message-seal.ts';
import { JournalProducer } from '../../journal/journal-producer.ts';
import { RunKeys } from '../../journal/run-keys.ts';
import { runStore } from '../../journal/run-store.ts';
import { assert } from '../../kernel/assert.ts';
import { systemClock } from '../../kernel/clock.ts';
import { RuntimeError, toErrorMessage } from '../../kernel/errors.ts';
import { parseIntentionKey } from '../../kernel/ids.ts';
import { limits } from '../../kernel/limits.ts';
import { ActorDirectory } from '../actor-directory.ts';
import { ActorHost } from '../actor-host.ts';
import { parseOutcomeMessage } from '../outcome-message.ts';
import { newSecurityState } from '../security-state.ts';
import { SteppedEvent } from '../stepped-event.ts';
import { hostThread, identityThread, mainThread, topics } from '../topics.ts';
import { UnbrokenSection } from '../unbroken-section.ts';
import { MessageGuard } from './message-guard.ts';
import type { HostReady, HostWorkerData } from './protocol.ts';

const stepsPerTurn = 256;
const hibernateEveryMs = 500;
const outboxReserve = 4_096;

assert(!isMainThread && parentPort !== null, 'a host runs in a worker thread');
const data = workerData as HostWorkerData;
const endpoint = openEndpoint(data.endpoint);
const journal = new JournalProducer(data.journal, endpoint.index);
const seal = new MessageSeal(data.messageKey);
const keys = new RunKeys(data.dataDirectory);
const stepped = new SteppedEvent(data.stepped);
const unbroken = new UnbrokenSection(data.unbroken);
const security = newSecurityState();
const guard = new MessageGuard({
  authority: new AuthorityVerifier(data.authority),
  seal,
  quarantine: security.folds.quarantine,
  clock: systemClock,
  report: (violation) => send(mainThread, topics.violation, violation),
});
let closing = false;

function send<Body>(to: ThreadId, topic: Topic<Body>, body: NoInfer<Body>): void {
  // hasRoom reserved the place before the step began (H2).
  assert(endpoint.send(to, topic, body), 'the outbox has room for what a step emits');
}

/** The first of two checks; the gateway makes the second. @throws RuntimeError INTENTION_INVALID */
function refuseInvalid({ actuator, operation, arguments: given }: ActIntention): void {
  const parsed = argumentsOf(actuator, operation)?.safeParse(given);
  if (parsed?.success === true) return;
  const problem = parsed === undefined ? 'there is no such operation' : firstProblem(parsed.error);
  const message = `The intention ${actuator}.${operation} is not valid (${problem}).`;
  throw new RuntimeError('INTENTION_INVALID', message);
}

const host = new ActorHost(
  {
    clock: systemClock,
    directory: new ActorDirectory(data.directory),
    storeOf: (run) => {
      const store = runStore(data.dataDirectory, keys.find(run));
      // Long texts are compressed there.
      return { ...store, texts: (blobs, timeMs) => unbroken.run(() => store.texts(blobs, timeMs)) };
    },
    stepping: (actor) => stepped.set(actor),
    append: (records) => journal.append(records),
    sendEnvelope: (index, envelope) =>
      send(hostThread(index), topics.envelope, { envelope, seal: seal.of(envelope) }),
    admits: (envelope) => guard.admits(envelope),
    chartered: (envelope) => guard.chartered(envelope),
    isHeld: (run, actor) => guard.isHeld(run, actor),
    act: ({ run, id }, { key: intention, intention: act }, journalPosition) => {
      const { sequence, index } = parseIntentionKey(intention);
      const { actuator, operation, effect, tag } = act;
      refuseInvalid(act);
      send(identityThread, topics.unsignedAct, {
        tag,
        request: {
          run,
          actor: id,
          sequence,
          index,
          key: intention,
          actuator,
          operation,
          arguments: act.arguments,
          effect,
          journalPosition,
        },
      });
    },
    abort: ({ key }) => send(identityThread, topics.unsignedAbort, { key }),
    wake: (message) => send(mainThread, topics.wake, message),
    runBroken: (run, error) => send(mainThread, topics.runBroken, { run, error }),
    // Forwards, wakes and resumed intentions need room as well, without a step of their own.
    hasRoom: () => endpoint.outboxRoom() >= limits.intentionsPerStepMax + outboxReserve,
  },
  { index: data.index, count: data.count, liveActorsMax: limits.liveActorsPerHostMax },
);

endpoint.on(topics.envelope, (sealed) => {
  const envelope = guard.open(sealed);
  if (envelope !== null) host.deliver(envelope);
});
endpoint.on(topics.outcome, (outcome) => host.deliverOutcome(parseOutcomeMessage(outcome)));
endpoint.on(topics.adopt, (adopted) => host.adopt(adopted));
endpoint.on(topics.charter, ({ run, charter }) => {
  guard.charter(run, charter);
  host.letGo(run);
});
endpoint.on(topics.security, ({ event, ...place }) => {
  security.apply(event, place);
  const { run, actor } = event;
  if (typeof run === 'string' && typeof actor === 'string') guard.settled(run, actor);
  host.letGo(null);
});
endpoint.on(topics.runEnded, ({ run: ended }) => {
  host.forgetRun(ended);
  guard.forgetRun(ended);
  keys.forget(ended);
});
endpoint.on(topics.close, () => {
  closing = true;
});

function run(): void {
  let hibernatedAtMs = systemClock.monotonicMs();
  while (!closing) {
    const drained = endpoint.drain();
    const steps = host.runSteps(stepsPerTurn);
    const nowMs = systemClock.monotonicMs();
    if (nowMs - hibernatedAtMs >= hibernateEveryMs) {
      host.hibernateIdle();
      hibernatedAtMs = nowMs;
    }
    if (drained > 0 || steps > 0) continue;
    endpoint.park(limits.idleWaitMsMax);
  }
}

parentPort.postMessage({ type: 'ready' } satisfies HostReady);
try {
  run();
  endpoint.flush();
  endpoint.send(mainThread, topics.closed, { host: data.index });
} catch (error) {
  endpoint.send(mainThread, topics.hostFailed, { host: data.index, error: toErrorMessage(error) });
}
endpoint.close();
