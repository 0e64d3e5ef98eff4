/**
 * One data directory has one writer. A command that writes therefore goes
 * through the API of the process that owns the directory, and becomes the
 * owner itself only when there is none.
 */
import { isWildcard } from '../api/door-settings.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { clientToken } from '../runtime/client-token.ts';
import type { RuntimeConfig } from '../runtime/config.ts';
import type { CommandContext } from './command.ts';
import { ServerClient } from './server-client.ts';

/**
 * The live server of the data directory, or null when nobody owns it.
 * @throws RuntimeError DATA_DIRECTORY_LOCKED when the owner serves no API, CONFIG_INVALID for a token file
 */
export async function findServer({
  services,
  config,
  io,
}: Pick<CommandContext, 'services' | 'config' | 'io'>): Promise<ServerClient | null> {
  const owner = await services.owner(config.dataDirectory);
  if (owner === null) return null;
  if (owner.port === null || owner.port === 0) {
    throw new RuntimeError(
      'DATA_DIRECTORY_LOCKED',
      `Process ${owner.pid} uses ${config.dataDirectory} and serves no API; wait until it ends, or choose another --data.`,
    );
  }
  const token = clientToken(io.environment, config);
  return new ServerClient(serverUrl(config, owner.port), {
    ...(token === null ? {} : { token }),
    ...(config.api?.tls === undefined ? {} : { certificateFile: config.api.tls.cert }),
  });
}

/** Where the server of this configuration is reached from its own machine. */
function serverUrl({ host, api }: RuntimeConfig, port: number): string {
  const scheme = api?.tls === undefined ? 'http' : 'https';
  const near = isWildcard(host) ? '127.0.0.1' : host;
  return `${scheme}://${near.includes(':') ? `[${near}]` : near}:${port}`;
}

/** @throws RuntimeError DATA_DIRECTORY_LOCKED when a live process owns the data directory */
export async function requireNoOwner({ services, config }: CommandContext): Promise<void> {
  const owner = await services.owner(config.dataDirectory);
  if (owner === null) return;
  const where = owner.port ? ` and serves it at ${serverUrl(config, owner.port)}` : '';
  throw new RuntimeError(
    'DATA_DIRECTORY_LOCKED',
    `Process ${owner.pid} already owns ${config.dataDirectory}${where}; use it, stop it, or choose another --data.`,
  );
}
