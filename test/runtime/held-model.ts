/** A model that keeps everybody who asks waiting until it is told to answer. */
import type { ServerResponse } from 'node:http';
import {
  type EndpointServer,
  sayWhole,
  startEndpointServer,
} from '../inference/endpoint-server.ts';

export interface HeldModel extends Pick<EndpointServer, 'baseUrl' | 'calls' | 'close'> {
  /** Answers those who wait, and from now on whoever asks at once. */
  release(): void;
  /** Answers those who wait; the next wait again. */
  answer(): void;
}

export async function heldModel(text = 'hello'): Promise<HeldModel> {
  const waiting: ServerResponse[] = [];
  let held = true;
  const server = await startEndpointServer((response) => {
    if (held) waiting.push(response);
    else sayWhole(response, text);
  });
  const answer = (): void => {
    for (const response of waiting.splice(0)) if (!response.destroyed) sayWhole(response, text);
  };
  return {
    baseUrl: server.baseUrl,
    calls: server.calls,
    close: () => server.close(),
    answer,
    release() {
      held = false;
      answer();
    },
  };
}
