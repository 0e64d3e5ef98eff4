/** Every route of the API. None is added elsewhere, and none without a right. */
import type { FastifyInstance } from 'fastify';
import type { RuntimePort } from '../runtime/views.ts';
import { addAuditRoutes } from './audit-routes.ts';
import { addBusRoute } from './bus-route.ts';
import { addEventRoutes } from './event-routes.ts';
import { addGenerateRoute } from './generate-route.ts';
import { addJournalRoutes } from './journal-routes.ts';
import { addModelRoutes } from './model-routes.ts';
import { addOperatorRoutes } from './operator-routes.ts';
import type { ErrorAnswers } from './problem.ts';
import { requireRights } from './route-rights.ts';
import { addRunRoutes } from './run-routes.ts';
import { addSandboxRoute } from './sandbox-route.ts';
import { addTokenRoute } from './token-route.ts';

export function addRoutes(app: FastifyInstance, runtime: RuntimePort, answers: ErrorAnswers): void {
  requireRights(app);
  app.get('/healthz', async () => runtime.health());
  addRunRoutes(app, runtime);
  addEventRoutes(app, runtime);
  addGenerateRoute(app, runtime, answers);
  addSandboxRoute(app, runtime);
  addBusRoute(app, runtime);
  addJournalRoutes(app, runtime);
  addModelRoutes(app, runtime);
  addAuditRoutes(app, runtime);
  addTokenRoute(app, runtime);
  addOperatorRoutes(app, runtime);
}
