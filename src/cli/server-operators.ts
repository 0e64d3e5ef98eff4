/** The operators' side of the API of a live server. */
import { z } from 'zod';
import type { DecisionView, GrantView, OperatorKeysView } from '../runtime/operator-port.ts';
import type { RemoteOperators } from './operator-target.ts';

/** Asks the server; the answer is checked for the marks of ours. */
export type Ask = <T>(
  marks: z.ZodType,
  path: string,
  request?: { readonly body?: unknown; readonly method?: 'DELETE' },
) => Promise<T>;

const keysSchema = z.looseObject({ threshold: z.number(), keys: z.array(z.unknown()) });
const grantSchema = z.looseObject({ id: z.string(), grant: z.looseObject({}) });
const grantsSchema = z.looseObject({ grants: z.array(grantSchema) });
const approvalsSchema = z.looseObject({ approvals: z.array(z.looseObject({ id: z.string() })) });
const quarantineEntrySchema = z.looseObject({ run: z.string(), actor: z.string() });
const quarantinedSchema = z.looseObject({ quarantined: z.array(quarantineEntrySchema) });
const decisionSchema = z.looseObject({ approval: z.string(), state: z.string() });

export function serverOperators(ask: Ask): RemoteOperators {
  const decide = (id: string, body: unknown) =>
    ask<DecisionView>(decisionSchema, `/v1/approvals/${encodeURIComponent(id)}`, { body });
  return {
    keys: () => ask<OperatorKeysView>(keysSchema, '/v1/keys'),
    changeKeys: (signed, proof) => {
      const body = { ...signed, ...(proof === null ? {} : { proof }) };
      return ask<OperatorKeysView>(keysSchema, '/v1/keys', { body });
    },
    grants: async () => {
      const { grants } = await ask<{ grants: readonly GrantView[] }>(grantsSchema, '/v1/grants');
      return grants;
    },
    issueGrant: (signed) => ask<GrantView>(grantSchema, '/v1/grants', { body: signed }),
    revokeGrant: (id, reason) => {
      const path = `/v1/grants/${encodeURIComponent(id)}?reason=${encodeURIComponent(reason)}`;
      return ask<GrantView>(grantSchema, path, { method: 'DELETE' });
    },
    approvals: async () => {
      type List = { approvals: Awaited<ReturnType<RemoteOperators['approvals']>> };
      return (await ask<List>(approvalsSchema, '/v1/approvals')).approvals;
    },
    quarantined: async () => {
      type List = { quarantined: Awaited<ReturnType<RemoteOperators['quarantined']>> };
      return (await ask<List>(quarantinedSchema, '/v1/quarantine')).quarantined;
    },
    release: (signed) => ask(quarantineEntrySchema, '/v1/quarantine/release', { body: signed }),
    approve: (id, signed) => decide(id, signed),
    deny: (id) => decide(id, { deny: true }),
  };
}
