/**
 * One data directory has one writer. A command that writes therefore goes
 * through the API of the process that owns the directory, and becomes the
 * owner itself only when there is none.
 */
import { RuntimeError } from '../kernel/errors.ts';
import type { CommandContext } from './command.ts';
import { ServerClient } from './server-client.ts';

/**
 * The live server of the data directory, or null when nobody owns it.
 * @throws RuntimeError DATA_DIRECTORY_LOCKED when the owner serves no API
 */
export async function findServer({
  services,
  config,
}: Pick<CommandContext, 'services' | 'config'>): Promise<ServerClient | null> {
  const owner = await services.owner(config.dataDirectory);
  if (owner === null) return null;
  if (owner.port === null || owner.port === 0) {
    throw new RuntimeError(
      'DATA_DIRECTORY_LOCKED',
      `Process ${owner.pid} uses ${config.dataDirectory} and serves no API; wait until it ends, or choose another --data.`,
    );
  }
  return new ServerClient(serverUrl(config.host, owner.port));
}

function serverUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** @throws RuntimeError DATA_DIRECTORY_LOCKED when a live process owns the data directory */
export async function requireNoOwner({ services, config }: CommandContext): Promise<void> {
  const owner = await services.owner(config.dataDirectory);
  if (owner === null) return;
  const where = owner.port ? ` and serves it at ${serverUrl(config.host, owner.port)}` : '';
  throw new RuntimeError(
    'DATA_DIRECTORY_LOCKED',
    `Process ${owner.pid} already owns ${config.dataDirectory}${where}; use it, stop it, or choose another --data.`,
  );
}
