/** Where operators bring what they have signed: the server of the data directory, or the directory itself. */
import type { OperatorKeysView, OperatorPort } from '../runtime/operator-port.ts';
import type { CommandContext } from './command.ts';
import { findServer } from './connect.ts';

/** `OperatorPort`, whose answers may come from another process. */
export type RemoteOperators = {
  [Method in keyof OperatorPort]: (
    ...args: Parameters<OperatorPort[Method]>
  ) => Promise<Awaited<ReturnType<OperatorPort[Method]>>>;
};

export async function withOperators<T>(
  context: CommandContext,
  use: (operators: RemoteOperators) => Promise<T>,
): Promise<T> {
  const server = await findServer(context);
  if (server !== null) return use(server.operators);
  const offline = await context.services.openOperators(context.config.dataDirectory);
  try {
    return await use(remote(offline.operators));
  } finally {
    offline.close();
  }
}

function remote(operators: OperatorPort): RemoteOperators {
  return {
    keys: async (): Promise<OperatorKeysView> => operators.keys(),
    changeKeys: (signed, proof) => operators.changeKeys(signed, proof),
    grants: async () => operators.grants(),
    issueGrant: (signed) => operators.issueGrant(signed),
    revokeGrant: (id, reason) => operators.revokeGrant(id, reason),
    approvals: async () => operators.approvals(),
    approve: (id, signed) => operators.approve(id, signed),
    deny: (id) => operators.deny(id),
    quarantined: async () => operators.quarantined(),
    release: (signed) => operators.release(signed),
  };
}
