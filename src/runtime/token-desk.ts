/** Tokens of a data directory, issued and examined beside whoever runs on it. */
import { Authority, AuthorityVerifier } from '../identity/authority.ts';
import { IdentityVerifier } from '../identity/identity-verifier.ts';
import { signIntention } from '../identity/signed-intention.ts';
import { generateKeyPair } from '../identity/signing-key.ts';
import { thumbprint } from '../identity/thumbprint.ts';
import {
  type ExaminationResult,
  examinationSchema,
  examine,
} from '../identity/token-examination.ts';
import { authorityKeyFile } from '../journal/data-folders.ts';
import { systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type ActorSequence, actorId, intentionKey, newRunId } from '../kernel/ids.ts';
import type { Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';

export interface WantedExecution {
  readonly actuator: string;
  readonly operation: string;
  readonly arguments: Json;
}

/** What the gateway asks for, for an actor of a run that does not exist. */
export interface IssuedToken {
  readonly intention: WantedExecution & {
    readonly run: string;
    readonly actor: string;
    readonly key: string;
  };
  readonly certificate: string;
  readonly token: string;
  readonly signature: string;
}

const nowSeconds = (): number => Math.floor(systemClock.nowMs() / 1_000);

/**
 * @param ttl seconds
 * @throws RuntimeError KEY_FILE_INVALID
 */
export async function issueToken(
  dataDirectory: string,
  wanted: WantedExecution,
  ttl: number,
): Promise<IssuedToken> {
  const authority = Authority.open(authorityKeyFile(dataDirectory));
  const key = generateKeyPair();
  const [run, actor, now] = [newRunId(), actorId('run/supervisor/probe'), nowSeconds()];
  const address = { run, actor, sequence: 1 as ActorSequence, index: 0 };
  const execution = { run, actor, key: intentionKey(address), ...wanted };
  const { publicKey } = key;
  const seconds = limits.certificateSeconds;
  const holder = { thumbprint: thumbprint(publicKey), now, ttl };
  const claim = { run, actor, publicKey, clearance: '', now, ttl: seconds };
  const certificate = await authority.certify(claim);
  const token = await authority.permit(execution, holder);
  const signature = signIntention(key, { ...execution, token });
  return { intention: execution, certificate, token, signature };
}

/** @throws RuntimeError KEY_FILE_INVALID, REQUEST_INVALID when there is no authority yet */
export async function examineToken(
  dataDirectory: string,
  question: unknown,
): Promise<ExaminationResult> {
  const authority = AuthorityVerifier.ofFile(authorityKeyFile(dataDirectory));
  if (authority === null) {
    throw new RuntimeError(
      'KEY_FILE_INVALID',
      `The data directory ${dataDirectory} has no authority yet; start claw up once, or name another --data.`,
    );
  }
  const parsed = examinationSchema.safeParse(question);
  if (!parsed.success) {
    const reason = 'The token is refused: it is no token, nor what claw token issue prints.';
    return { valid: false, code: 'TOKEN_INVALID', reason };
  }
  return examine(new IdentityVerifier(authority), parsed.data, nowSeconds());
}
