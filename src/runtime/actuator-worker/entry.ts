/**
 * Thread of the actuators: intentions come in over the bus, pass the gateway,
 * and go back as outcomes to the host that owns the actor by then.
 *
 * Invariants
 *   A1. An intention is taken only with a place in the outbox for its outcome,
 *       so that no outcome is ever refused.
 *   A2. No intention is looked at before the policies are there.
 */
import { join } from 'node:path';
import { isMainThread, type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Outcome } from '../../actors/outcome.ts';
import { pureOperations } from '../../actuators/actuator.ts';
import { blobsActuator } from '../../actuators/blobs.ts';
import { clearanceGuard } from '../../actuators/clearance-guard.ts';
import { clockActuator } from '../../actuators/clock.ts';
import { fileActuator } from '../../actuators/file.ts';
import { FileLabels } from '../../actuators/file-labels.ts';
import { ActuatorGateway } from '../../actuators/gateway.ts';
import { httpActuator } from '../../actuators/http.ts';
import { humanActuator } from '../../actuators/human.ts';
import { inferenceActuator } from '../../actuators/inference.ts';
import { labelledFiles } from '../../actuators/labelled-files.ts';
import { policyGuard } from '../../actuators/policy-guard.ts';
import { sandboxActuator } from '../../actuators/sandbox.ts';
import { SecretSource } from '../../actuators/secret-source.ts';
import { openEndpoint, type Reservation, type ThreadId } from '../../bus/endpoint.ts';
import type { AuditEvent } from '../../identity/audit-event.ts';
import { AuthorityVerifier } from '../../identity/authority.ts';
import { IdentityVerifier } from '../../identity/identity-verifier.ts';
import { examine } from '../../identity/token-examination.ts';
import { fileLabelsPath, workspacesFolder } from '../../journal/data-folders.ts';
import { JournalProgress } from '../../journal/journal-progress.ts';
import { JournalTexts } from '../../journal/journal-texts.ts';
import { assert } from '../../kernel/assert.ts';
import { systemClock } from '../../kernel/clock.ts';
import { RuntimeError, toErrorMessage } from '../../kernel/errors.ts';
import type { Sha256 } from '../../kernel/hash.ts';
import type { RunId } from '../../kernel/ids.ts';
import { limits } from '../../kernel/limits.ts';
import { Sandboxes } from '../../sandbox/sandboxes.ts';
import { ActorDirectory } from '../actor-directory.ts';
import { DurableWaiters } from '../durable-waiters.ts';
import { InferenceClient } from '../inference-worker/client.ts';
import { openPolicySet, type PolicySet } from '../policy/policy-set.ts';
import { RunProfiles } from '../run-profiles.ts';
import { newSecurityState } from '../security-state.ts';
import { hostThread, mainThread, type OutcomeMessage, topics } from '../topics.ts';
import { GatewayGuard } from './gateway-guard.ts';
import { httpPorts } from './http-ports.ts';
import { auditedLayers } from './layer-audit.ts';
import type { ActMessage, ActuatorsReady, ActuatorWorkerData } from './protocol.ts';

assert(!isMainThread, 'the actuators run in a worker thread');
const data = workerData as ActuatorWorkerData;
const endpoint = openEndpoint(data.endpoint);
const owners = new ActorDirectory(data.directory);
const identities = new IdentityVerifier(new AuthorityVerifier(data.authority));
const durable = new DurableWaiters();
const sandbox = new Sandboxes(data.sandbox);
// Starting processes must not compete with the start of everything else.
const warmUp = setTimeout(() => sandbox.prepare(), limits.sandboxWarmUpMs).unref();
const inference = new InferenceClient(endpoint, { streamTo: mainThread });
const security = newSecurityState();
const record = (event: AuditEvent): Promise<null> =>
  endpoint.request(mainThread, topics.audit, event, { deadlineMs: limits.requestDeadlineMsMax });
const guard = new GatewayGuard({
  quarantine: security.folds.quarantine,
  clock: systemClock,
  record,
});
const secrets = new SecretSource(data.dataDirectory, data.vaultPassphrase);
const texts = new JournalTexts(data.dataDirectory);

const blobs = {
  lookup: (run: RunId, hash: Sha256): Buffer | null => texts.lookup(hash, run, durable.end),
};

const profiles = new RunProfiles();
const policies = await openPolicies();
const fileLabels = new FileLabels((run) => fileLabelsPath(data.dataDirectory, run));

const files = labelledFiles(fileActuator(), {
  labels: fileLabels,
  readerOf: (run, actor) => profiles.readerOf(run, actor),
});

const http = httpActuator(httpPorts(endpoint, secrets));

const gateway = new ActuatorGateway({
  actuators: [
    files,
    clockActuator(),
    humanActuator(),
    sandboxActuator(auditedLayers(sandbox, record), pureOperations(files), http),
    inferenceActuator(inference, blobs),
    blobsActuator(blobs),
    http,
  ],
  identities,
  guard,
  clock: systemClock,
  workspaceOf: (run) => join(workspacesFolder(data.dataDirectory), run),
  whenDurable: (position) => durable.whenDurable(position),
  journalMode: data.journalMode,
  scrub: (outcome) => secrets.scrub(outcome),
  guards: [clearanceGuard(profiles), policyGuard({ policies, actors: profiles })],
});

/** Without policies nothing may be let through, so the thread ends (A2). */
async function openPolicies(): Promise<PolicySet> {
  try {
    return await openPolicySet(data.policies);
  } catch (error) {
    const message = { type: 'refused', error: toErrorMessage(error) } satisfies ActuatorsReady;
    parentPort?.postMessage(message);
    throw error;
  }
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

/** The outcome goes where `place` was reserved for it, whatever it is (A1). */
async function carryOut(act: ActMessage, place: Reservation): Promise<void> {
  const { tag, request } = act;
  const { run, actor, key } = request as unknown as Pick<OutcomeMessage, 'run' | 'actor' | 'key'>;
  const answer = (outcome: Outcome): void => {
    const message: OutcomeMessage = { run, actor, key, tag, outcome };
    const to = hostFor(message);
    if (to === null) place.release();
    else place.send(to, topics.outcome, message);
  };
  try {
    answer(await performed(act));
  } catch (error) {
    // A failed journal ends the process; until then an intention that waits for it has no outcome.
    if (error instanceof RuntimeError && error.code === 'JOURNAL_FAILED') place.release();
    // Such as an outcome that does not fit the bus: the actor has to hear of it.
    else answer({ status: 'failed', error: toErrorMessage(error) });
  }
}

async function close(): Promise<void> {
  clearTimeout(warmUp);
  await Promise.all([gateway.close(), sandbox.close()]);
  texts.close();
  endpoint.send(mainThread, topics.closed, { host: null });
  await endpoint.leave();
}

endpoint.on(topics.durable, (notice) => durable.advance(notice));
endpoint.onReserved(topics.act, (act, _header, place) => void carryOut(act, place));
endpoint.on(topics.abort, ({ key }) => gateway.abort(key));
endpoint.on(topics.hostStarted, ({ host }) => endpoint.threadReplaced(hostThread(host)));
endpoint.on(topics.examine, (question, header) => {
  const now = Math.floor(systemClock.nowMs() / 1_000);
  void examine(identities, question, now).then((result) => endpoint.reply(header, result));
});
endpoint.on(topics.security, ({ event, ...place }) => security.apply(event, place));
endpoint.on(topics.runEnded, ({ run }) => {
  gateway.endRun(run);
  texts.forget(run);
  profiles.forget(run);
  fileLabels.forget(run);
});
endpoint.on(topics.runProfile, ({ run, definition }) => profiles.set(run, definition));
endpoint.on(topics.withhold, ({ run }) => gateway.withhold(run));
endpoint.on(topics.journalFailed, () =>
  durable.fail(new RuntimeError('JOURNAL_FAILED', 'The journal has failed.')),
);
endpoint.on(topics.close, () => void close());
parentPort?.on('message', (bell: MessagePort) => endpoint.addListener(bell));
// The endpoint alone keeps this thread alive.
parentPort?.unref();
endpoint.subscribe(topics.durable);
// What became durable before this thread subscribed.
const { ringPosition, ...end } = new JournalProgress(data.journalProgress).read();
durable.advance({ position: ringPosition, ...end });
endpoint.listen();
parentPort?.postMessage({ type: 'ready' } satisfies ActuatorsReady);
