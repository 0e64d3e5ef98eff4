/**
 * The API of a live server, as `claw` uses it. Problems that it answers are
 * thrown as the errors that they name.
 */
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { GenerateLine } from '../api/generate-route.ts';
import type { ModelList } from '../api/model-routes.ts';
import type { StreamMessage } from '../api/websocket.ts';
import type { ExaminationResult } from '../identity/token-examination.ts';
import type { ModelStatus } from '../inference/model-status.ts';
import type { BackupReport } from '../journal/backup.ts';
import { type ErrorMessage, fromErrorMessage, RuntimeError } from '../kernel/errors.ts';
import type { CheckpointReport } from '../runtime/audit-port.ts';
import type { BusView } from '../runtime/bus-view.ts';
import type { CompactionReport } from '../runtime/compact-journal.ts';
import type { ErasureReport } from '../runtime/erase-run.ts';
import type {
  CompactionRequest,
  EffectView,
  EventView,
  ForkRequest,
  GeneratedText,
  GenerateTextRequest,
  HealthView,
  ResolveRequest,
  RunView,
  StartRunRequest,
} from '../runtime/views.ts';
import { authorization, type Credentials, exchange, toResponse, trust } from './http-exchange.ts';
import type { RemoteOperators } from './operator-target.ts';
import { serverOperators } from './server-operators.ts';

/** What tells a run from the answer of a stranger on the same port. */
const runSchema = z.looseObject({ id: z.string(), status: z.string(), events: z.number() });

/** Likewise for an effect. */
const effectSchema = z.looseObject({ key: z.string(), status: z.string() });

/** Likewise for what is said of a token. */
const examinationResultSchema = z.discriminatedUnion('valid', [
  z.looseObject({ valid: z.literal(true) }),
  z.looseObject({ valid: z.literal(false), code: z.string(), reason: z.string() }),
]);

/** Likewise for an erasure. */
const erasureSchema = z.looseObject({ erased: z.array(z.string()) });
/** Likewise for what a backup and a compaction report. */
const backupSchema = z.looseObject({ folder: z.string(), files: z.looseObject({}) });
const compactionSchema = z.looseObject({ done: z.boolean(), held: z.array(z.unknown()) });

/** Likewise for a checkpoint. */
const checkpointSchema = z.looseObject({ size: z.number(), root: z.string() });

/** Likewise for a model, and for the list of them. */
const modelSchema = z.looseObject({ name: z.string(), state: z.string() });
const modelsSchema = z.looseObject({ data: z.array(modelSchema) });

/** Likewise for its view of the bus. */
const busSchema = z.looseObject({
  windowMs: z.number(),
  threads: z.array(z.unknown()),
  topics: z.array(z.unknown()),
});

/** And for its health. */
const healthSchema = z.looseObject({
  snapshots: z.looseObject({ taken: z.number(), audited: z.number(), mismatches: z.number() }),
  hibernation: z.looseObject({
    slots: z.looseObject({ used: z.number(), free: z.number() }),
    bytes: z.looseObject({ used: z.number(), free: z.number() }),
    snapshots: z.number(),
    templates: z.number(),
    spilled: z.number(),
    damaged: z.number(),
  }),
});

const closeCode = { ended: 1000, tokenGone: 1008, slow: 1013 } as const;

interface RequestOptions {
  /** Sent by POST. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  readonly method?: 'GET' | 'DELETE';
}

export class ServerClient {
  readonly url: string;
  readonly #credentials: Credentials;
  readonly operators: RemoteOperators = serverOperators(async (marks, path, options = {}) =>
    this.#parsed(marks, await this.#fetch(path, options)),
  );
  readonly #streams = new Set<WebSocket>();

  /** @param url such as `http://127.0.0.1:7420`, without a slash at the end */
  constructor(url: string, credentials: Credentials = {}) {
    this.url = url;
    this.#credentials = credentials;
  }

  startRun(request: StartRunRequest): Promise<RunView> {
    return this.#run('/v1/runs', request);
  }

  fork(id: string, request: ForkRequest): Promise<RunView> {
    return this.#run(`/v1/runs/${encodeURIComponent(id)}/fork`, request);
  }

  async resolve(id: string, request: ResolveRequest): Promise<EffectView> {
    const path = `/v1/runs/${encodeURIComponent(id)}/effects/resolve`;
    return this.#parsed(effectSchema, await this.#fetch(path, { body: request }));
  }

  async examineToken(question: unknown): Promise<ExaminationResult> {
    const answer = await this.#fetch('/v1/tokens/verify', { body: question });
    return this.#parsed(examinationResultSchema, answer);
  }

  async erase(id: string, forks: boolean): Promise<ErasureReport> {
    const path = `/v1/runs/${encodeURIComponent(id)}?forks=${forks}`;
    return this.#parsed(erasureSchema, await this.#fetch(path, { method: 'DELETE' }));
  }

  cancel(id: string): Promise<RunView> {
    return this.#run(`/v1/runs/${encodeURIComponent(id)}/cancel`, {});
  }

  async backUp(folder: string): Promise<BackupReport> {
    return this.#parsed(backupSchema, await this.#fetch('/v1/backup', { body: { folder } }));
  }

  async compactJournal(request: CompactionRequest): Promise<CompactionReport> {
    return this.#parsed(
      compactionSchema,
      await this.#fetch('/v1/journal/compact', { body: request }),
    );
  }

  async checkpoint(): Promise<CheckpointReport> {
    return this.#parsed(checkpointSchema, await this.#fetch('/v1/audit/checkpoint', { body: {} }));
  }

  async models(): Promise<readonly ModelStatus[]> {
    const list: ModelList = await this.#parsed(modelsSchema, await this.#fetch('/v1/models', {}));
    return list.data;
  }

  async reloadModel(name: string): Promise<ModelStatus> {
    return this.#parsed(modelSchema, await this.#fetch('/v1/models/reload', { body: { name } }));
  }

  async bus(signal?: AbortSignal): Promise<BusView> {
    return this.#parsed(busSchema, await this.#fetch('/v1/bus', { signal }));
  }

  async health(signal?: AbortSignal): Promise<HealthView> {
    return this.#parsed(healthSchema, await this.#fetch('/healthz', { signal }));
  }

  /** Every event from the first one; resolves with the ended run. */
  async follow(id: string, onEvent: (event: EventView) => void): Promise<RunView> {
    let next = 1;
    for (;;) {
      const outcome = await this.#stream(id, next, (event) => {
        next = event.sequence + 1;
        onEvent(event);
      });
      if (outcome !== 'again') return outcome;
    }
  }

  /** Ends what is still followed, because an open stream would keep this process. */
  close(): void {
    for (const socket of this.#streams) socket.terminate();
  }

  async generate(
    request: GenerateTextRequest,
    onToken: (token: { text: string; confidence: number | null }) => void,
    signal: AbortSignal,
  ): Promise<GeneratedText> {
    const response = await this.#fetch('/v1/generate', {
      body: { ...request, stream: true },
      signal,
    });
    try {
      for await (const line of linesOf(response)) {
        const message = JSON.parse(line) as GenerateLine;
        if (message.type === 'result') return message.result;
        if (message.type === 'error') throw fromErrorMessage(message.error);
        onToken(message);
      }
    } catch (cause) {
      throw cause instanceof RuntimeError ? cause : this.#broken(cause, signal);
    }
    throw this.#gone();
  }

  #stream(
    id: string,
    from: number,
    onEvent: (event: EventView) => void,
  ): Promise<RunView | 'again'> {
    const address = `${this.url.replace(/^http/, 'ws')}/v1/runs/${encodeURIComponent(id)}/events?from=${from}`;
    const options = { headers: authorization(this.#credentials), ...trust(this.#credentials) };
    const socket = new WebSocket(address, options);
    this.#streams.add(socket);
    return new Promise((resolve, reject) => {
      let ended: RunView | null = null;
      socket.on('message', (bytes) => {
        try {
          const message = JSON.parse(String(bytes)) as StreamMessage;
          if (message.type === 'event') onEvent(message.event);
          else if (message.type === 'end') ended = message.run;
        } catch (cause) {
          // Whatever that was, it is not our server.
          reject(this.#gone(cause));
          socket.terminate();
        }
      });
      // An answer instead of a stream says why, such as that the token does not do.
      socket.on('unexpected-response', (_request, answer) => {
        void this.#problem(toResponse(answer)).then(reject);
        socket.terminate();
      });
      // A failed connection also closes, and the close decides.
      socket.on('error', () => undefined);
      socket.once('close', (code) => {
        this.#streams.delete(socket);
        if (ended !== null && code === closeCode.ended) resolve(ended);
        else if (code === closeCode.slow) resolve('again');
        else if (code === closeCode.tokenGone) reject(tokenGone());
        else reject(this.#gone());
      });
    });
  }

  async #run(path: string, body: unknown): Promise<RunView> {
    return this.#parsed(runSchema, await this.#fetch(path, { body }));
  }

  /** The answer, trusted once it has the marks that the schema looks for. */
  async #parsed<T>(marks: z.ZodType, response: Response): Promise<T> {
    try {
      return marks.parse(await response.json()) as T;
    } catch (cause) {
      throw this.#gone(cause);
    }
  }

  async #fetch(path: string, { body, signal, method = 'GET' }: RequestOptions): Promise<Response> {
    let response: Response;
    try {
      const sent = { method: body === undefined ? method : 'POST', body, signal };
      response = await exchange(`${this.url}${path}`, sent, this.#credentials);
    } catch (cause) {
      throw this.#broken(cause, signal);
    }
    if (!response.ok) throw await this.#problem(response);
    return response;
  }

  async #problem(response: Response): Promise<RuntimeError> {
    const body = (await response.json().catch(() => null)) as {
      code?: ErrorMessage['code'];
      detail?: string;
    } | null;
    if (body?.code === undefined || body.detail === undefined) return this.#gone();
    return fromErrorMessage({ code: body.code, message: body.detail });
  }

  #broken(cause: unknown, signal: AbortSignal | undefined): RuntimeError {
    return signal?.aborted === true
      ? new RuntimeError('INFERENCE_ABORTED', 'The generation was stopped on request.', { cause })
      : this.#gone(cause);
  }

  #gone(cause?: unknown): RuntimeError {
    return new RuntimeError(
      'SERVER_UNREACHABLE',
      `The server at ${this.url} does not answer as it should; start it again with claw up, which goes on with open runs.`,
      { cause },
    );
  }
}

function tokenGone(): RuntimeError {
  return new RuntimeError(
    'UNAUTHENTICATED',
    'The access token was removed or has expired meanwhile; the run goes on without being watched.',
  );
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  if (response.body === null) return;
  let rest = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
}
