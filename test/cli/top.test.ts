import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ApiServer, startApi } from '../../src/api/server.ts';
import { exitStatus } from '../../src/kernel/errors.ts';
import type { BusView } from '../../src/runtime/bus-view.ts';
import { LocalRuntime, run, type Started, start } from './harness.ts';

const enter = '\u001b[?1049h';
const leave = '\u001b[?1049l';
const home = '\u001b[H';
const escapeCode = '\u001b';
const control = /^\[\??\d*[A-Za-z]/;

let runtime: LocalRuntime;
let api: ApiServer;
let owner: { pid: number; port: number };

beforeEach(async () => {
  runtime = new LocalRuntime();
  api = await startApi({ runtime, host: '127.0.0.1', port: 0 });
  owner = { pid: 1, port: api.port };
});

afterEach(async () => {
  await api.close();
});

/** Starts `claw top` on a terminal and waits for the first drawing. */
async function watch(words: readonly string[] = []): Promise<Started> {
  const started = start(['top', ...words], { owner, terminal: true });
  await vi.waitFor(() => expect(started.stdout()).toContain(home));
  return started;
}

/** What the terminal shows now, line by line. */
function screen(started: Started): string[] {
  const [, drawing = ''] = started.stdout().split(home).slice(-2);
  const text = drawing.split(escapeCode).map((part) => part.replace(control, ''));
  return text.join('').split('\r\n');
}

function drawings(started: Started): number {
  return started.stdout().split(home).length - 1;
}

/** Names of the inboxes, from top to bottom. */
function inboxes(started: Started): string[] {
  const lines = screen(started);
  const header = lines.findIndex((line) => line.startsWith('INBOX'));
  return lines.slice(header + 1, header + 4).map((line) => line.split(' ')[0] ?? '');
}

describe('one table', () => {
  test('--once prints every column, whatever the width, and no control codes', async () => {
    runtime.countedBus.left.received(1, 4_096);
    const { status, stdout, stderr } = await run(['top', '--once'], { owner, terminal: true });
    expect([status, stderr]).toEqual([exitStatus.ok, '']);
    const header = stdout.split('\n').find((line) => line.startsWith('INBOX'));
    expect(header).toMatch(/MSG\/S .* ROOM$/);
    expect(stdout).toMatch(/^tock +0\.5 +2K/m);
    expect(stdout).toMatch(
      /^ASLEEP {2}9 in shared memory {3}actors 12, room for 2\.1M {3}bytes 128K, free 256M {3}templates 2 {3}spilled 0 {3}damaged 0$/m,
    );
    expect(stdout).not.toContain('\u001b');
  });

  test('where standard output is no terminal it is the same without --once', async () => {
    const piped = await run(['top'], { owner });
    expect(piped).toEqual(await run(['top', '--once'], { owner }));
    expect(piped.status).toBe(exitStatus.ok);
  });

  test('says how many agents wait for a person, where any does', async () => {
    expect((await run(['top', '--once'], { owner })).stdout).not.toContain('PAUSED');
    runtime.paused = 2;
    expect((await run(['top', '--once'], { owner })).stdout).toMatch(
      /^PAUSED {2}2 agents wait for a person: claw runs show, claw release$/m,
    );
  });

  test('--json is the view as the server gives it', async () => {
    const { status, stdout } = await run(['top', '--json'], { owner, terminal: true });
    expect(status).toBe(exitStatus.ok);
    expect(stdout.match(/\n/g)).toHaveLength(1);
    expect(JSON.parse(stdout) as BusView).toEqual(
      JSON.parse(
        JSON.stringify({ ...runtime.bus(), hibernation: runtime.health().hibernation, paused: 0 }),
      ),
    );
  });
});

describe('on a terminal', () => {
  test('it draws on a screen of its own, within the size of the terminal', async () => {
    const started = await watch();
    started.resize({ columns: 60, rows: 9 });
    const lines = screen(started);
    expect(started.stdout().startsWith(enter)).toBe(true);
    expect(lines).toHaveLength(9);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(60);
    expect(lines[0]).toContain(api.url);
    expect(lines.at(-1)).toMatch(/^lines for a taller terminal: \d+ {3}q quit/);
    started.type('q');
    await started.ended;
  });

  test('it draws again by itself what has changed meanwhile', async () => {
    const started = await watch(['--interval', '100']);
    expect(screen(started).join('\n')).toContain('topics without traffic: 2');
    runtime.countedBus.left.received(0, 1);
    await vi.waitFor(() => expect(screen(started).join('\n')).toMatch(/^tick +0\.5/m));
    expect(drawings(started)).toBeGreaterThan(1);
    started.type('q');
    await started.ended;
  });

  test('keys sort at once, also back to the order of the bus', async () => {
    runtime.countedBus.right.received(0, 1);
    runtime.countedBus.depths.set(0, 900);
    const started = await watch(['--interval', '60000']);
    const orders = ['', 'm', 'd', 'n', 'x'].map((key) => {
      started.type(key);
      return inboxes(started);
    });
    expect(orders).toEqual([
      ['left', 'right', 'log'],
      ['right', 'left', 'log'],
      ['left', 'log', 'right'],
      ['left', 'right', 'log'],
      ['left', 'right', 'log'],
    ]);
    started.type('l');
    expect(screen(started)[0]).toMatch(/, sorted by latency$/);
    started.type('q');
    await started.ended;
  });

  test.each([
    ['q', (started: Started) => started.type('q')],
    ['Ctrl-C', (started: Started) => started.type('\u0003')],
    ['a signal', (started: Started) => started.signal()],
  ])('%s ends it in the middle of an interval, and the terminal is as before', async (_, stop) => {
    const started = await watch(['--interval', '60000']);
    stop(started);
    const { status, stdout, stderr } = await started.ended;
    expect([status, stderr]).toEqual([exitStatus.ok, '']);
    expect(stdout.endsWith(`\u001b[?25h${leave}`)).toBe(true);
    expect(stdout.split(leave)).toHaveLength(2);
    expect(started.listeners()).toBe(0);
  });

  test('a server that goes away is an error, and the terminal is as before', async () => {
    const started = await watch(['--interval', '100']);
    await api.close();
    const { status, stdout, stderr } = await started.ended;
    expect(status).toBe(exitStatus.environment);
    expect(stderr).toContain('(SERVER_UNREACHABLE)');
    expect(stdout.endsWith(leave)).toBe(true);
    expect(started.listeners()).toBe(0);
  });

  test('an end of the process by another way leaves the screen too', async () => {
    const started = await watch(['--interval', '60000']);
    started.exit();
    expect(started.stdout().endsWith(leave)).toBe(true);
    started.type('q');
    await started.ended;
  });

  test('the first answer comes before the screen, so an error is not lost with it', async () => {
    await api.close();
    const { status, stdout, stderr } = await run(['top'], { owner, terminal: true });
    expect([status, stdout]).toEqual([exitStatus.environment, '']);
    expect(stderr).toContain('(SERVER_UNREACHABLE)');
  });
});

test('without a server it says so', async () => {
  const { status, stdout, stderr } = await run(['top'], { owner: null });
  expect([status, stdout]).toEqual([exitStatus.environment, '']);
  expect(stderr).toMatch(/^claw: No server uses .*claw up\. \(SERVER_NOT_RUNNING\)\n$/);
});

test.each([['0'], ['99'], ['60001'], ['fast']])('--interval %s is wrong usage', async (text) => {
  const { status, stderr } = await run(['top', '--interval', text], { owner });
  expect(status).toBe(exitStatus.badInput);
  expect(stderr).toContain('from 100 to 60000');
});

describe('a stranger at the port', () => {
  let stranger: Server;

  afterEach(() => stranger.close());

  test.each([
    ['no JSON', 'hello'],
    ['other JSON', '{"windowMs":1}'],
  ])('that answers %s is SERVER_UNREACHABLE', async (_, text) => {
    stranger = createServer((_request, response) => response.end(text)).listen(0, '127.0.0.1');
    await new Promise((settle) => stranger.once('listening', settle));
    const { port } = stranger.address() as AddressInfo;
    const { status, stderr } = await run(['top'], { owner: { pid: 1, port } });
    expect(status).toBe(exitStatus.environment);
    expect(stderr).toContain('(SERVER_UNREACHABLE)');
  });
});
