/**
 * Whether a token would be let through: by itself, or with everything that the
 * gateway asks for beside it.
 */
import { z } from 'zod';
import type { ActorId, RunId } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { IdentityRefusal, IdentityVerifier } from './identity-verifier.ts';

const text = z.string().max(limits.tokenCharactersMax);

/** An intention with its credentials, as `claw token issue` prints it. */
const presentedSchema = z.strictObject({
  intention: z.strictObject({
    run: z
      .string()
      .max(100)
      .transform((run) => run as RunId),
    actor: z
      .string()
      .max(300)
      .transform((actor) => actor as ActorId),
    key: z.string().max(500),
    actuator: z.string().max(100),
    operation: z.string().max(100),
    arguments: z.json(),
  }),
  certificate: text,
  token: text,
  signature: text,
});

export const examinationSchema = z.strictObject({
  /** Longer than a token may be: that is for the verifier to say. */
  token: z
    .string()
    .max(64 * 1024)
    .optional(),
  presented: presentedSchema.optional(),
  /** Uses it up, as the gateway does. */
  use: z.boolean().optional(),
});

export type Examination = z.output<typeof examinationSchema>;

export type ExaminationResult =
  | { readonly valid: true; readonly claims: Readonly<Record<string, unknown>> | null }
  | { readonly valid: false; readonly code: IdentityRefusal['code']; readonly reason: string };

/** @param now seconds since the epoch */
export async function examine(
  verifier: IdentityVerifier,
  { token, presented, use = false }: Examination,
  now: number,
): Promise<ExaminationResult> {
  if (presented !== undefined) {
    const { intention, ...credentials } = presented;
    const verdict = await verifier.admit(intention, credentials, now, { use });
    if ('code' in verdict) return { valid: false, code: verdict.code, reason: verdict.message };
    return { valid: true, claims: null };
  }
  const verdict = await verifier.examine(token ?? '', now, { use });
  if ('code' in verdict) return { valid: false, code: verdict.code, reason: verdict.message };
  return { valid: true, claims: { ...verdict.claims } };
}
