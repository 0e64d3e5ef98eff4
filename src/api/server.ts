/**
 * The HTTP and WebSocket API of one running runtime. It translates and guards;
 * it holds no state of its own and decides nothing about runs.
 */
import type { AddressInfo } from 'node:net';
import websocket from '@fastify/websocket';
import { type FastifyInstance, fastify } from 'fastify';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { RuntimePort } from '../runtime/views.ts';
import { addBusRoute } from './bus-route.ts';
import { addEventRoutes } from './event-routes.ts';
import { addGenerateRoute } from './generate-route.ts';
import { addJournalRoutes } from './journal-routes.ts';
import { addJsonParser } from './json-body.ts';
import { guardLoopback } from './loopback-guard.ts';
import { addModelRoutes } from './model-routes.ts';
import { sendProblem } from './problem.ts';
import { addRunRoutes } from './run-routes.ts';
import { addSandboxRoute } from './sandbox-route.ts';
import { addTokenRoute } from './token-route.ts';

export interface ApiServer {
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  readonly url: string;
  /** Stops accepting and closes every connection; WebSockets with a close frame while they answer it. */
  close(): Promise<void>;
}

export interface ApiOptions {
  readonly runtime: RuntimePort;
  /** A loopback address. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Faults that a client sees only as INTERNAL. */
  readonly onFault?: (error: unknown) => void;
}

/** Inbound WebSocket messages are ignored, so they may be small. */
const inboundMessageBytesMax = 1_024;

/**
 * Listens until closed.
 * @throws RuntimeError PORT_IN_USE
 */
export async function startApi(options: ApiOptions): Promise<ApiServer> {
  const app = await buildApi(options.runtime, options.onFault);
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (cause) {
    await app.close();
    throw listenError(cause, options);
  }
  const { port } = app.server.address() as AddressInfo;
  const name = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { port, url: `http://${name}:${port}`, close: () => closeApi(app) };
}

/** A client that does not answer its close frame would hold the stop for as long as it likes. */
async function closeApi(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => {
    for (const socket of app.websocketServer.clients) socket.terminate();
  }, limits.socketCloseMsMax);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}

function listenError(cause: unknown, { host, port }: ApiOptions): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') {
    return new RuntimeError(
      'PORT_IN_USE',
      `Port ${port} is taken; stop the other program or choose another with --port.`,
      { cause },
    );
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    return new RuntimeError(
      'PORT_IN_USE',
      `${host} port ${port} cannot be opened (${code}); choose another with --port.`,
      { cause },
    );
  }
  return cause;
}

/** The routes without a listening socket. */
async function buildApi(
  runtime: RuntimePort,
  onFault: (error: unknown) => void = () => undefined,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: limits.requestBodyBytesMax,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 100 },
    frameworkErrors: (error, _request, reply) => sendProblem(reply, error),
  });
  app.removeContentTypeParser('text/plain');
  addJsonParser(app);
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof RuntimeError) && !isClientFault(error)) onFault(error);
    return sendProblem(reply, error);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new RuntimeError(
        'NOT_FOUND',
        `There is no ${request.method} ${request.url.split('?')[0]}; see the README for the routes.`,
      ),
    ),
  );
  await app.register(websocket, { options: { maxPayload: inboundMessageBytesMax } });
  // After the plugin, whose own hook marks upgrades so that a refused one is closed.
  app.addHook('onRequest', async (request) => guardLoopback(request));
  app.get('/healthz', async () => runtime.health());
  addRunRoutes(app, runtime);
  addEventRoutes(app, runtime);
  addGenerateRoute(app, runtime);
  addSandboxRoute(app, runtime);
  addBusRoute(app, runtime);
  addJournalRoutes(app, runtime);
  addModelRoutes(app, runtime);
  addTokenRoute(app, runtime);
  return app;
}

function isClientFault(error: unknown): boolean {
  const status = (error as { statusCode?: unknown }).statusCode;
  return typeof status === 'number' && status >= 400 && status < 500;
}
