/** The journal, opened for reading beside whoever writes it, and closed again. */

import type { CommandContext } from './command.ts';
import type { ReadOnlyRuntime } from './services.ts';

export async function withReadOnly<T>(
  { services, config }: Pick<CommandContext, 'services' | 'config'>,
  read: (journal: ReadOnlyRuntime) => Promise<T>,
): Promise<T> {
  const journal = await services.openReadOnly(config.dataDirectory);
  try {
    return await read(journal);
  } finally {
    await journal.close();
  }
}
