/**
 * Thread of the authority: intentions of actors come in from the hosts, get
 * certificate, token and signature, and go on to the gateway. The private keys,
 * its own and those of the actors, are in this thread alone.
 *
 * Invariants
 *   A1. An intention is taken only with a place in the outbox for what goes on,
 *       and is never lost: what is denied goes on as a denial.
 *   A2. What comes from one host goes on in its order: an abort never overtakes
 *       its intention.
 *   A3. What an actor may ask for follows from the charter of its run, which main
 *       has told before anything of it; nothing that a host says adds to it.
 */
import { isMainThread, type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { actorProfile } from '../../actors/actor-profile.ts';
import { definitionOf } from '../../actors/definition.ts';
import type { DenialCode } from '../../actuators/intention-request.ts';
import { openEndpoint, type Reservation } from '../../bus/endpoint.ts';
import { AgentIdentities } from '../../identity/agent-identities.ts';
import { Authority, AuthorityVerifier } from '../../identity/authority.ts';
import { charterHolds, sealCharter } from '../../identity/charter.ts';
import { signIntention } from '../../identity/signed-intention.ts';
import { assert } from '../../kernel/assert.ts';
import { systemClock } from '../../kernel/clock.ts';
import { toErrorMessage } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/hash.ts';
import type { RunId } from '../../kernel/ids.ts';
import type { ActMessage, UnsignedActMessage } from '../actuator-worker/protocol.ts';
import { newSecurityState } from '../security-state.ts';
import { actuatorThread, hostThread, mainThread, topics } from '../topics.ts';
import type { IdentityReady, IdentityWorkerData } from './protocol.ts';

assert(!isMainThread && parentPort !== null, 'the authority runs in a worker thread');
const port = parentPort;
const data = workerData as IdentityWorkerData;

function openAuthority(): Authority | null {
  try {
    return Authority.open(data.keyFile);
  } catch (error) {
    port.postMessage({ error: toErrorMessage(error) });
    return null;
  }
}

function serve(authority: Authority): void {
  const endpoint = openEndpoint(data.endpoint);
  const verifier = new AuthorityVerifier(authority.publicKey);
  const identities = new AgentIdentities(authority);
  const security = newSecurityState();
  /** Definition of each run, by its charter. */
  const definitions = new Map<RunId, string>();
  let last: Promise<unknown> = Promise.resolve();

  /** One after the other, in the order of their coming (A2). */
  const inOrder = (work: () => Promise<void> | void): void => {
    last = last.then(work, work);
  };

  async function credited({ tag, request }: UnsignedActMessage): Promise<ActMessage> {
    const { run, actor, key, actuator, operation } = request;
    const deny = (code: DenialCode, message: string): ActMessage => ({
      tag,
      request: { ...request, credentials: null, denial: { code, message } },
    });
    if (security.folds.quarantine.find(run, actor) !== undefined) {
      return deny('QUARANTINED', `The agent ${actor} is in quarantine.`);
    }
    const definition = definitions.get(run);
    if (definition === undefined) {
      return deny('RUN_NOT_OPEN', `The run ${run} has no charter here; it has ended.`);
    }
    const profile = actorProfile(definitionOf(definition), actor);
    if (profile?.operations.includes(`${actuator}.${operation}`) !== true) {
      return deny('PERMISSION_DENIED', `${actor} may not ask for ${actuator}.${operation}.`); // (A3)
    }
    const now = Math.floor(systemClock.nowMs() / 1_000);
    const clearance = profile.clearance?.of ?? '';
    const identity = await identities.of({ run, actor, clearance }, now);
    const execution = { run, actor, key, actuator, operation, arguments: request.arguments };
    const token = await authority.permit(execution, { thumbprint: identity.thumbprint, now });
    const signature = signIntention(identity.key, { ...execution, token });
    const credentials = { certificate: identity.certificate, token, signature };
    return { tag, request: { ...request, credentials } };
  }

  async function pass(act: UnsignedActMessage, place: Reservation): Promise<void> {
    try {
      place.send(actuatorThread, topics.act, await credited(act)); // (A1)
    } catch (error) {
      // With its credentials it does not fit the bus; the denial does.
      const { message } = toErrorMessage(error);
      const denial = { code: 'BUS_MESSAGE_TOO_LARGE' as const, message };
      const request = { ...act.request, arguments: null, credentials: null, denial };
      place.send(actuatorThread, topics.act, { tag: act.tag, request });
    }
  }

  endpoint.onReserved(topics.unsignedAct, (act, _header, place) => inOrder(() => pass(act, place)));
  endpoint.onReserved(topics.unsignedAbort, (abort, _header, place) =>
    inOrder(() => place.send(actuatorThread, topics.abort, abort)),
  );
  endpoint.on(topics.charter, ({ run, charter, definition }) => {
    const isSealed = charterHolds(verifier, run, charter);
    if (isSealed && charter.definitions.includes(sha256(definition))) {
      definitions.set(run, definition);
    }
  });
  endpoint.on(topics.sealCharter, (matter, header) => {
    endpoint.reply(header, sealCharter(authority, matter));
  });
  endpoint.on(topics.security, ({ event, ...place }) => security.apply(event, place));
  endpoint.on(topics.runEnded, ({ run }) => {
    definitions.delete(run);
    identities.endRun(run);
  });
  endpoint.on(topics.hostStarted, ({ host }) => endpoint.threadReplaced(hostThread(host)));
  endpoint.on(topics.close, () =>
    inOrder(async () => {
      endpoint.send(mainThread, topics.closed, { host: null });
      await endpoint.leave();
    }),
  );
  port.on('message', (bell: MessagePort) => endpoint.addListener(bell));
  // The endpoint alone keeps this thread alive.
  port.unref();
  endpoint.listen();
}

const authority = openAuthority();
if (authority !== null) {
  port.postMessage({ publicKey: authority.publicKey } satisfies IdentityReady);
  serve(authority);
}
