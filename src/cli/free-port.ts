/** Whether the API could listen, found out before anything else is started. */
import { createServer } from 'node:net';
import { RuntimeError } from '../kernel/errors.ts';
import type { RuntimeConfig } from '../runtime/config.ts';

/** @throws RuntimeError PORT_IN_USE */
export async function requireFreePort({
  host,
  port,
}: Pick<RuntimeConfig, 'host' | 'port'>): Promise<void> {
  const fault = await new Promise<NodeJS.ErrnoException | null>((settle) => {
    const probe = createServer();
    probe.once('error', settle);
    probe.listen({ host, port }, () => probe.close(() => settle(null)));
  });
  if (fault === null) return;
  const why = fault.code === 'EADDRINUSE' ? 'is taken' : `cannot be opened (${fault.code})`;
  throw new RuntimeError(
    'PORT_IN_USE',
    `Port ${port} ${why}; stop the other program or choose another with --port.`,
    { cause: fault },
  );
}
