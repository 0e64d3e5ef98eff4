import type { FastifyReply } from 'fastify';

/** Aborted once nobody can receive the answer any more, which includes that it has been sent. */
export function connectionSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  // The client may have gone while its body was read; then no event will tell.
  if (reply.raw.closed) controller.abort();
  else reply.raw.once('close', () => controller.abort());
  return controller.signal;
}
