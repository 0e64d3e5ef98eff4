/** The part of the configuration that speaks of the audit. */
import { z } from 'zod';
import { parseNoteVerifier } from '../identity/note-key.ts';
import { limits } from '../kernel/limits.ts';
import { auditFormats } from './audit-export-format.ts';
import { exportTargetProblem } from './audit-export-target.ts';

const publicKey = z.string().refine(isKey, { error: 'it is no public key of a witness' });

const witnessSchema = z
  .strictObject({
    /** Base of its address, `http://127.0.0.1:7421`. */
    url: z.url({ protocol: /^http$/ }).optional(),
    /** Or path of its Unix socket. */
    socket: z.string().min(1).optional(),
    /** The line of its witness.pub. */
    publicKey,
    /** Whether a start without its cosignature is refused. */
    require: z.boolean().default(false),
  })
  .refine(({ url, socket }) => (url === undefined) !== (socket === undefined), {
    error: 'one of url and socket is expected',
  });

const exportSchema = z.strictObject({
  format: z.enum(auditFormats),
  to: z.string().superRefine((to, context) => {
    const problem = exportTargetProblem(to);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  }),
});

export const auditConfigSchema = z.strictObject({
  /** Time between two checkpoints while records come; 0 for none but by hand and at the end. */
  checkpointSeconds: z.number().int().min(0).max(86_400).default(60),
  witness: witnessSchema.optional(),
  export: z.array(exportSchema).max(limits.auditExportsMax).default([]),
});

export type AuditConfig = z.output<typeof auditConfigSchema>;
export type WitnessConfig = z.output<typeof witnessSchema>;

/** What holds where the configuration says nothing. */
export const auditDefaults: AuditConfig = auditConfigSchema.parse({});

function isKey(line: string): boolean {
  try {
    return parseNoteVerifier(line).kind === 4;
  } catch {
    return false;
  }
}
