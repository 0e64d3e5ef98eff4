/** Keys of the operators, egress grants, and what waits for a decision. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { signedGrantSchema } from '../identity/egress-grant.ts';
import { signedKeyStatementSchema } from '../identity/key-change.ts';
import { signedReleaseSchema } from '../identity/quarantine-release.ts';
import type { RuntimePort } from '../runtime/views.ts';
import { parseRequest } from './request.ts';

const keyChangeSchema = z.strictObject({
  ...signedKeyStatementSchema.shape,
  /** For the first key: the content of the file that `GET /v1/keys` names. */
  proof: z.string().max(200).optional(),
});

const decisionSchema = z.union([signedGrantSchema, z.strictObject({ deny: z.literal(true) })], {
  error: 'a grant with signatures, or { "deny": true }, is expected',
});

const idSchema = z.object({ id: z.string().min(1).max(64) });
const reasonSchema = z.strictObject({ reason: z.string().min(1).max(200).default('revoked') });

export function addOperatorRoutes(app: FastifyInstance, runtime: RuntimePort): void {
  const { operators } = runtime.security;

  app.get('/v1/keys', async () => operators.keys());

  app.post('/v1/keys', async (request) => {
    const body = parseRequest(keyChangeSchema, request.body, 'The request body');
    const { proof, ...signed } = body;
    return operators.changeKeys(signed, proof ?? null);
  });

  app.get('/v1/grants', async () => ({ grants: operators.grants() }));

  app.post('/v1/grants', async (request, reply) => {
    const signed = parseRequest(signedGrantSchema, request.body, 'The request body');
    return reply.code(201).send(await operators.issueGrant(signed));
  });

  app.delete('/v1/grants/:id', async (request) => {
    const { id } = parseRequest(idSchema, request.params, 'The address');
    const { reason } = parseRequest(reasonSchema, request.query, 'The query');
    return operators.revokeGrant(id, reason);
  });

  app.get('/v1/quarantine', async () => ({ quarantined: operators.quarantined() }));

  app.post('/v1/quarantine/release', async (request) =>
    operators.release(parseRequest(signedReleaseSchema, request.body, 'The request body')),
  );

  app.get('/v1/approvals', async () => ({ approvals: operators.approvals() }));

  app.post('/v1/approvals/:id', async (request) => {
    const { id } = parseRequest(idSchema, request.params, 'The address');
    const body = parseRequest(decisionSchema, request.body, 'The request body');
    return 'deny' in body ? operators.deny(id) : operators.approve(id, body);
  });
}
