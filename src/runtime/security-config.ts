/** Settings of approvals and of the vault. */
import { z } from 'zod';
import { limits } from '../kernel/limits.ts';

export const approvalsConfigSchema = z.strictObject({
  /** How long a request to the network waits for people; 0 refuses at once what no grant covers. */
  waitSeconds: z.number().int().min(0).max(limits.approvalSecondsMax).optional(),
});

export interface SecuritySettings {
  readonly approvals?: z.output<typeof approvalsConfigSchema>;
  /** Of the vault; from the environment alone, and in no message. */
  readonly vaultPassphrase?: string;
}

/** Milliseconds. */
export function approvalWaitOf({ approvals }: SecuritySettings): number {
  return (approvals?.waitSeconds ?? limits.approvalSecondsDefault) * 1_000;
}
