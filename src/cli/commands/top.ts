/**
 * `claw top`: what the threads of the live server send each other, and the actors
 * that sleep, drawn again every second. Elsewhere than on a terminal it is one table.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import type { BusView } from '../../runtime/bus-view.ts';
import type { HibernationView } from '../../runtime/views.ts';
import { type BusOrder, busTable } from '../bus-table.ts';
import { type CommandContext, type Host, integer, newCommand, onAction } from '../command.ts';
import { findServer } from '../connect.ts';
import { hibernationLine } from '../hibernation-line.ts';
import { LiveScreen } from '../live-screen.ts';
import type { ServerClient } from '../server-client.ts';
import type { Terminal } from '../terminal.ts';

interface TopOptions {
  readonly once?: boolean;
  readonly interval: number;
}

/** What is drawn: the view of the bus, and beside it the actors that sleep. */
interface TopView extends BusView {
  /** Agents that wait for a person. */
  readonly paused: number;
  readonly hibernation: HibernationView;
}

const intervalMs = { min: 100, max: 60_000, usual: 1_000 } as const;

const ctrlC = '\u0003';
const orders: Readonly<Record<string, BusOrder>> = {
  n: 'bus',
  m: 'messages',
  b: 'bytes',
  l: 'latency',
  d: 'depth',
};
const keyLine = 'q quit   sort by: n none  m messages  b bytes  l latency  d depth';

export function topCommand(host: Host): Command {
  const command = newCommand('top', 'watch the bus of the live server')
    .option('--once', 'one table, without redrawing')
    .option(
      '--interval <ms>',
      'milliseconds between two drawings',
      integer(intervalMs),
      intervalMs.usual,
    );
  return onAction<TopOptions>(command, host, async (context, { options }) => {
    const server = await findServer(context);
    if (server === null) {
      throw new RuntimeError(
        'SERVER_NOT_RUNNING',
        `No server uses ${context.config.dataDirectory}; start one with claw up.`,
      );
    }
    const { output, io } = context;
    if (output.interactive && options.once !== true && io.terminal !== undefined) {
      await new Watch(context, server, io.terminal).run(options.interval);
      return exitStatus.ok;
    }
    const view = await lookAt(server);
    output.answer(view);
    output.print(linesOf(view, { order: 'bus', widthMax: Number.POSITIVE_INFINITY }).join('\n'));
    return exitStatus.ok;
  });
}

async function lookAt(server: ServerClient, signal?: AbortSignal): Promise<TopView> {
  const [bus, { hibernation, paused = 0 }] = await Promise.all([
    server.bus(signal),
    server.health(signal),
  ]);
  return { ...bus, hibernation, paused };
}

function linesOf(view: TopView, options: Parameters<typeof busTable>[1]): string[] {
  const { paused, hibernation } = view;
  const waiting =
    paused === 0
      ? []
      : [`PAUSED  ${paused} agents wait for a person: claw runs show, claw release`];
  return [...busTable(view, options), '', hibernationLine(hibernation), ...waiting];
}

/** One person who watches, until q, Ctrl-C or another request to stop. */
class Watch {
  readonly #server: ServerClient;
  readonly #io: CommandContext['io'];
  readonly #terminal: Terminal;
  readonly #stop = new AbortController();
  #order: BusOrder = 'bus';
  #view: TopView | null = null;

  constructor({ io }: CommandContext, server: ServerClient, terminal: Terminal) {
    this.#server = server;
    this.#io = io;
    this.#terminal = terminal;
  }

  /** @throws RuntimeError SERVER_UNREACHABLE when the server goes away meanwhile */
  async run(everyMs: number): Promise<void> {
    // Asked once before, so that a server that does not answer leaves the terminal alone.
    this.#view = await lookAt(this.#server);
    const screen = new LiveScreen(this.#io.stdout, this.#terminal);
    const draw = (): void => this.#draw(screen);
    const forget = [
      this.#io.onSignal(() => this.#stop.abort()),
      this.#terminal.onResize(draw),
      this.#terminal.onKey((key) => {
        this.#press(key);
        draw();
      }),
    ];
    try {
      draw();
      while (await this.#next(everyMs)) draw();
    } finally {
      for (const end of forget) end();
      screen.close();
    }
  }

  /** Waits, and asks again; false when nobody watches any more. */
  async #next(everyMs: number): Promise<boolean> {
    const { signal } = this.#stop;
    try {
      await pause(everyMs, undefined, { signal });
      this.#view = await lookAt(this.#server, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return !signal.aborted;
  }

  #press(key: string): void {
    if (key === 'q' || key === ctrlC) this.#stop.abort();
    this.#order = orders[key] ?? this.#order;
  }

  #draw(screen: LiveScreen): void {
    if (this.#view === null) return;
    const order = this.#order === 'bus' ? '' : `, sorted by ${this.#order}`;
    const title = `OpenClaw bus at ${this.#server.url}${order}`;
    const options = { order: this.#order, widthMax: screen.width };
    screen.draw([title, ...linesOf(this.#view, options)], keyLine);
  }
}
