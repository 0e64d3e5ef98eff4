/** `claw replay --inspect` with a real debugger: the protocol of the inspector over its WebSocket. */
import { createServer } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { fixtureFolder, recordedFacts } from '../journal/fixtures.ts';
import {
  type ClawProcess,
  claw,
  expectFailure,
  oneObject,
  startClaw,
  temporaryFolder,
} from './claw-process.ts';

const { remove } = temporaryFolder();
afterAll(remove);

const name = 'inbox-format-2';
const { run } = recordedFacts(name);
const data = fixtureFolder(name);

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
}

interface Frame {
  readonly callFrameId: string;
  readonly functionName: string;
  readonly location: { readonly scriptId: string; readonly lineNumber: number };
}

class DebuggerClient {
  readonly #socket: WebSocket;
  readonly #messages: Message[] = [];
  readonly #waiting = new Set<() => void>();
  #id = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (bytes) => {
      this.#messages.push(JSON.parse(String(bytes)) as Message);
      for (const look of [...this.#waiting]) look();
    });
  }

  static async attach(process: ClawProcess): Promise<DebuggerClient> {
    const said = await process.until('stderr', /ws:\/\/\S+\s/);
    const url = /ws:\/\/(127\.0\.0\.1):\S+/.exec(said)?.[0] ?? '';
    const socket = new WebSocket(url);
    const client = new DebuggerClient(socket);
    await new Promise((open) => socket.once('open', open));
    return client;
  }

  async ask<Result>(method: string, params: object = {}): Promise<Result> {
    this.#id += 1;
    const id = this.#id;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return (await this.#message((message) => message.id === id)).result as Result;
  }

  async event<Params>(method: string): Promise<Params> {
    return (await this.#message((message) => message.method === method)).params as Params;
  }

  events<Params>(method: string): Params[] {
    return this.#messages
      .filter((message) => message.method === method)
      .map(({ params }) => params as Params);
  }

  close(): void {
    this.#socket.close();
  }

  #message(wanted: (message: Message) => boolean): Promise<Message> {
    return new Promise((settle) => {
      const look = (): void => {
        const found = this.#messages.find(wanted);
        if (found === undefined) return;
        this.#waiting.delete(look);
        settle(found);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

interface Stop {
  /** What the debugger sees: the file of its top frame and the line, from 1. */
  readonly file: string;
  readonly line: number;
  /** An expression in the top frame. */
  readonly evaluate: (expression: string) => Promise<unknown>;
  readonly resume: () => Promise<{ status: number | null; answer: unknown; stops: number }>;
}

async function stopAt(...words: string[]): Promise<Stop> {
  const process = startClaw(['replay', run, '--inspect=0', '--json', ...words], { data });
  const client = await DebuggerClient.attach(process);
  await client.ask('Runtime.enable');
  await client.ask('Debugger.enable');
  await client.ask('Runtime.runIfWaitingForDebugger');
  const { callFrames } = await client.event<{ callFrames: Frame[] }>('Debugger.paused');
  const [top] = callFrames;
  if (top === undefined) throw new Error('no frame');
  const scripts = client.events<{ scriptId: string; url: string }>('Debugger.scriptParsed');
  const { scriptId, lineNumber } = top.location;
  return {
    file: scripts.find((script) => script.scriptId === scriptId)?.url ?? '',
    line: lineNumber + 1,
    evaluate: async (expression) => {
      const { callFrameId } = top;
      const params = { callFrameId, expression, returnByValue: true };
      const answer = await client.ask<{ result: { value: unknown } }>(
        'Debugger.evaluateOnCallFrame',
        params,
      );
      return answer.result.value;
    },
    resume: async () => {
      await client.ask('Debugger.resume');
      await process.until('stderr', /Stopped in/);
      client.close();
      const { status, stdout } = await process.ended;
      const stops = client.events('Debugger.paused').length;
      return { status, answer: oneObject(stdout), stops };
    },
  };
}

describe('claw replay --inspect', () => {
  test('stops once in the source of the machine that takes the event, and then replays equal', async () => {
    const stop = await stopAt('--until', '44');
    expect(stop.file).toMatch(/\/src\/actors\/agent\.ts$/);
    expect(await stop.evaluate('event.type')).toBe('retry');
    expect(await stop.evaluate('typeof event.at')).toBe('number');
    const { status, answer, stops } = await stop.resume();
    expect(status).toBe(0);
    expect(stops).toBe(1);
    expect(answer).toMatchObject({
      run,
      equal: true,
      divergence: null,
      inspected: {
        sequence: 44,
        line: stop.line,
        file: expect.stringMatching(/src.actors.agent\.ts$/),
      },
    });
  });

  test('stops at a breakpoint of the replay, and without one at the first event', async () => {
    const stop = await stopAt('--break', 'type=request-review', '--break', 'type=retry');
    expect(await stop.evaluate('event.type')).toBe('retry');
    expect((await stop.resume()).answer).toMatchObject({
      equal: true,
      inspected: { sequence: 44 },
    });
    const first = await stopAt();
    expect(first.file).toMatch(/\/src\/actors\/pipeline\.ts$/);
    expect((await first.resume()).answer).toMatchObject({ inspected: { sequence: 1 } });
  });

  test('listens on nothing but a free port, and stops nowhere else', async () => {
    const taken = createServer();
    await new Promise<void>((open) => taken.listen(0, '127.0.0.1', open));
    const { port } = taken.address() as { port: number };
    const inspect = (...words: string[]) => claw(['replay', ...words, '--json'], { data });
    const ended = await inspect(run, `--inspect=${port}`);
    taken.close();
    expect(ended.status).toBe(4);
    expect(oneObject(ended.stdout)).toMatchObject({
      error: { code: 'PORT_IN_USE', message: expect.stringContaining('--inspect=PORT') },
    });
    expectFailure(await inspect('--all', '--inspect=0'), 'USAGE', /stops in one run/);
    expectFailure(await inspect(run, '--step', '--inspect=0'), 'USAGE', /not both/);
    expectFailure(
      await inspect(run, '--break', 'type=none', '--inspect=0'),
      'USAGE',
      /no such event/,
    );
  });
});
