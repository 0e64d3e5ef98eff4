/**
 * The parser of JSON bodies. What routes do with a body recurses into it, so
 * its depth is bounded before it becomes a value.
 */
import type { FastifyInstance } from 'fastify';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { nestingDepth } from '../kernel/nesting-depth.ts';

/** Bodies nested deeper than `limits.requestBodyDepthMax` are REQUEST_INVALID. */
export function addJsonParser(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string' },
    (request, body, done) => {
      if (nestingDepth(body) <= limits.requestBodyDepthMax) {
        parse(request, body, done);
        return;
      }
      const message = `The request body is nested deeper than ${limits.requestBodyDepthMax} levels; make it flatter.`;
      done(new RuntimeError('REQUEST_INVALID', message));
    },
  );
}
