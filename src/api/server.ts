/**
 * The HTTP and WebSocket API of one running runtime. It translates and guards;
 * it holds no state of its own and decides nothing about runs.
 */
import type { AddressInfo } from 'node:net';
import websocket from '@fastify/websocket';
import { type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { ApiConfig } from '../runtime/api-config.ts';
import type { RuntimePort } from '../runtime/views.ts';
import { answerClientFault } from './client-fault.ts';
import { installDoor } from './door.ts';
import { type DoorSettings, doorSettings, isWildcard, type TokenJudge } from './door-settings.ts';
import { addJsonParser } from './json-body.ts';
import { ErrorAnswers } from './problem.ts';
import type { ApiRefusal } from './refusals.ts';
import { acceptedProtocol } from './request-token.ts';
import { addRoutes } from './routes.ts';

export interface ApiServer {
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  readonly url: string;
  /** Stops accepting and closes every connection; WebSockets with a close frame while they answer it. */
  close(): Promise<void>;
}

export interface ApiOptions {
  readonly runtime: RuntimePort;
  /** An address, or a name that has one. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Who may come in; without it, programs on this machine. */
  readonly api?: ApiConfig;
  /** Who knows the access tokens; without it nobody does, and none opens the API. */
  readonly tokens?: TokenJudge;
  /** Absolute path that no answer names. */
  readonly dataDirectory?: string;
  readonly clock?: Clock;
  /** Faults that a client sees only as INTERNAL. */
  readonly onFault?: (error: unknown) => void;
  /** What was refused at the door, by kinds and with their counts. */
  readonly onRefusal?: (event: ApiRefusal) => void;
}

/** Inbound WebSocket messages are ignored, so they may be small. */
const inboundMessageBytesMax = 1_024;
/** How often Node.js looks for connections whose request is late. */
const lateConnectionsMs = 2_000;

const noTokens: TokenJudge = {
  judge: () => ({ status: 'unknown' }),
  opensForAnybody: () => false,
};

/**
 * Listens until closed.
 * @throws RuntimeError PORT_IN_USE, API_EXPOSED, TLS_INVALID, ACCESS_FILE_UNUSABLE
 */
export async function startApi(options: ApiOptions): Promise<ApiServer> {
  const { tokens = noTokens, clock = systemClock } = options;
  const settings = doorSettings(options, tokens, clock.nowMs());
  const app = await buildApi({ ...options, tokens, clock }, settings);
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (cause) {
    await app.close();
    throw listenError(cause, options);
  }
  const { port } = app.server.address() as AddressInfo;
  const scheme = settings.tls === null ? 'http' : 'https';
  const url = `${scheme}://${urlName(options.host, settings)}:${port}`;
  return { port, url, close: () => closeApi(app) };
}

/** All addresses together are none to call it by. */
function urlName(host: string, { names }: DoorSettings): string {
  const name = isWildcard(host) ? (names[0] ?? host) : host;
  return name.includes(':') ? `[${name}]` : name;
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
  options: ApiOptions & { tokens: TokenJudge; clock: Clock },
  settings: DoorSettings,
): Promise<FastifyInstance> {
  const { runtime, tokens, clock, onFault = () => undefined } = options;
  const answers = new ErrorAnswers(options.dataDirectory ?? null, onFault);
  const app = newServer(settings, answers);
  app.setErrorHandler((error, _request, reply) => answers.send(reply, error));
  app.setNotFoundHandler((request, reply) =>
    answers.send(
      reply,
      new RuntimeError(
        'NOT_FOUND',
        `There is no ${request.method} ${request.url.split('?')[0]}; see the README for the routes.`,
      ),
    ),
  );
  await app.register(websocket, {
    options: { maxPayload: inboundMessageBytesMax, handleProtocols: acceptedProtocol },
  });
  // After the plugin, whose own hook marks upgrades so that a refused one is closed.
  await installDoor(app, {
    settings,
    tokens,
    clock,
    onRefusal: options.onRefusal ?? (() => undefined),
  });
  addRoutes(app, runtime, answers);
  return app;
}

/** Nothing is logged, so no header is. No proxy is believed about who a client is. */
function newServer({ tls }: DoorSettings, answers: ErrorAnswers): FastifyInstance {
  const patience = {
    headersTimeout: limits.apiHeadersMsMax,
    requestTimeout: limits.apiRequestMsMax,
    connectionsCheckingInterval: lateConnectionsMs,
    keepAlive: true,
    keepAliveInitialDelay: limits.apiKeepAliveMs,
  };
  const options: FastifyServerOptions = {
    logger: false,
    trustProxy: false,
    bodyLimit: limits.requestBodyBytesMax,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    requestTimeout: limits.apiRequestMsMax,
    routerOptions: { maxParamLength: 100 },
    clientErrorHandler: answerClientFault,
    frameworkErrors: (error, _request, reply) => answers.send(reply, error),
  };
  const transport =
    tls === null ? { http: patience } : { https: { ...patience, ...tls, minVersion: 'TLSv1.2' } };
  // The types tell the two kinds of server apart, which nothing here does.
  const app = fastify({ ...options, ...transport } as FastifyServerOptions);
  app.server.maxConnections = limits.apiConnectionsMax;
  app.removeContentTypeParser('text/plain');
  addJsonParser(app);
  return app;
}
