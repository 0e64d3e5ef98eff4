/** What of an answer enters a journal: status, the headers that say something, and the body. */
import { z } from 'zod';
import type { EgressTarget } from './egress-target.ts';
import type { HttpAnswer } from './http-exchange.ts';

export const shownAnswerSchema = z.strictObject({
  /** Where the answer came from, after redirects. */
  url: z.string(),
  status: z.number().int().min(100).max(599),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
  /** How `body` stands for bytes: text where the bytes are UTF-8 text or the answer names its charset. */
  encoding: z.enum(['utf8', 'base64']),
});

const shownHeaders =
  /^(?:content-type|content-language|content-disposition|content-location|content-range|date|etag|expires|last-modified|cache-control|location|link|retry-after|allow|vary|server|x-request-id|(?:x-)?ratelimit-[a-z-]+)$/;
const headerCharactersMax = 2_000;

export function shownAnswer(
  { href }: EgressTarget,
  { status, headers, body }: HttpAnswer,
): z.output<typeof shownAnswerSchema> {
  const shown = Object.entries(headers)
    .filter(([name]) => shownHeaders.test(name))
    .map(([name, value]) => [name, value.slice(0, headerCharactersMax).toWellFormed()]);
  const text = textOf(body, headers['content-type'] ?? '');
  return {
    url: href,
    status,
    headers: Object.fromEntries(shown),
    ...(text === null
      ? { body: body.toString('base64'), encoding: 'base64' }
      : { body: text, encoding: 'utf8' }),
  };
}

/** The text of the bytes, or null when they are none. */
function textOf(body: Buffer, type: string): string | null {
  const charset = /;\s*charset="?([\w-]{1,40})/i.exec(type)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset, { fatal: true }).decode(body);
  } catch {
    return null;
  }
}
