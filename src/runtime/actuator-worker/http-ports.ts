/** What the http actuator asks of the main thread: leave, and to note what no leave could be given for. */
import type { HttpPorts } from '../../actuators/http.ts';
import type { SecretSource } from '../../actuators/secret-source.ts';
import type { Endpoint } from '../../bus/endpoint.ts';
import { parseIntentionKey } from '../../kernel/ids.ts';
import { limits } from '../../kernel/limits.ts';
import { mainThread, topics } from '../topics.ts';

export function httpPorts(endpoint: Endpoint, secrets: SecretSource): HttpPorts {
  // Main keeps the time: it knows how long people have.
  const deadlineMs = limits.requestDeadlineMsMax;
  return {
    permit: async (question, signal) => {
      const { key } = question;
      const withdraw = (): void => {
        endpoint.send(mainThread, topics.egressWithdrawn, { key });
      };
      signal.addEventListener('abort', withdraw, { once: true });
      try {
        return await endpoint.request(mainThread, topics.egress, question, { deadlineMs, signal });
      } finally {
        signal.removeEventListener('abort', withdraw);
      }
    },
    refused: ({ run, key, code, message }) => {
      const { actor } = parseIntentionKey(key);
      const event = { type: 'egress-refused', run, actor, code, message };
      // A journal that fails ends the process by itself.
      endpoint.request(mainThread, topics.audit, event, { deadlineMs }).catch(() => undefined);
    },
    secret: (name) => secrets.value(name),
  };
}
