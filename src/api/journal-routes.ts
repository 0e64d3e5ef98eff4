/** Backup and compaction of the data directory that this process owns. */
import { resolve } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RuntimePort } from '../runtime/views.ts';
import { parseRequest, pathSchema } from './request.ts';

const backupSchema = z.strictObject({ folder: pathSchema });

const count = z.number().int().nonnegative();

const compactionSchema = z.strictObject({
  before: z.union([z.strictObject({ sequence: count }), z.strictObject({ timeMs: count })], {
    error: '{ "sequence": … } or { "timeMs": … } is expected',
  }),
  dryRun: z.boolean().optional(),
});

export function addJournalRoutes(app: FastifyInstance, runtime: RuntimePort): void {
  // A path that is not absolute begins at the working directory of this process, as that of a pipeline does.
  app.post('/v1/backup', async (request) => {
    const { folder } = parseRequest(backupSchema, request.body, 'The request body');
    return runtime.backUp(resolve(folder));
  });

  app.post('/v1/journal/compact', async (request) => {
    const body = parseRequest(compactionSchema, request.body, 'The request body');
    const { before, dryRun } = body;
    return runtime.compactJournal({ before, ...(dryRun === undefined ? {} : { dryRun }) });
  });
}
