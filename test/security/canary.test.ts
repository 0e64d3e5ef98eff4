/**
 * Goal: what the runtime knows is not in a sandbox process: neither in its
 * environment and command line, nor in its memory, nor in what a script says.
 * Method: secrets of random bytes are in the environment and in the memory of
 * this process, which is the runtime here; then the kernel is asked for all
 * that a process has.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SandboxPool } from '../../src/sandbox/sandbox.ts';
import { eventually, sandboxPids } from '../sandbox/processes.ts';

const kept = randomBytes(32);
const secret = kept.toString('hex');
let pool: SandboxPool;

beforeAll(async () => {
  process.env.OPENCLAW_TEST_CANARY = secret;
  pool = new SandboxPool({ size: 1 });
  await pool.warmed();
});

afterAll(async () => {
  delete process.env.OPENCLAW_TEST_CANARY;
  await pool.close();
});

const chunkBytes = 4 << 20;

/** Whether any memory of a process that can be read holds one of the byte strings. */
function memoryHolds(pid: number, needles: readonly Buffer[]): boolean {
  const overlap = Math.max(...needles.map((needle) => needle.length));
  const descriptor = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(chunkBytes + overlap);
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line) ?? [];
      // The kernel's own pages are the same in every process.
      if (from === undefined || to === undefined || /\[v(var|syscall)/.test(line)) continue;
      const end = BigInt(`0x${to}`);
      for (let at = BigInt(`0x${from}`); at < end; at += BigInt(chunkBytes)) {
        const wanted = Number(end - at < BigInt(chunk.length) ? end - at : BigInt(chunk.length));
        const length = readSync(descriptor, chunk, 0, wanted, at);
        const seen = chunk.subarray(0, length);
        if (needles.some((needle) => seen.includes(needle))) return true;
      }
    }
    return false;
  } finally {
    closeSync(descriptor);
  }
}

const forms = (text: string, bytes: Buffer): Buffer[] => [
  Buffer.from(text, 'latin1'),
  Buffer.from(text, 'utf16le'),
  bytes,
];

function mayReadMemory(): boolean {
  try {
    const [pid = 0] = sandboxPids(process.pid);
    closeSync(openSync(`/proc/${pid}/mem`, 'r'));
    return true;
  } catch {
    return false;
  }
}

function statedBy(pid: number): string {
  return ['environ', 'cmdline']
    .map((file) => readFileSync(`/proc/${pid}/${file}`, 'latin1'))
    .join('');
}

test('a script finds the secret nowhere', async () => {
  const { ok, value, console } = await pool.execute({
    source: `const seen = new Set(); const texts = [];
      const walk = (o) => { if (typeof o === 'string') texts.push(o);
        if ((typeof o !== 'object' && typeof o !== 'function') || o === null || seen.has(o)) return;
        seen.add(o);
        for (const k of Reflect.ownKeys(o)) { texts.push(String(k)); try { walk(o[k]) } catch {} }
        walk(Reflect.getPrototypeOf(o)) };
      walk(globalThis); const e = new Error(); texts.push(e.stack); console.log(texts.join(' ')); texts.length`,
  });
  expect(ok).toBe(true);
  expect(value).toBeGreaterThan(500);
  expect(console).not.toContain(secret);
  for (const source of ['process.env.OPENCLAW_TEST_CANARY', 'throw new Error(typeof process)']) {
    expect(JSON.stringify(await pool.execute({ source }))).not.toContain(secret);
  }
});

describe.runIf(process.platform === 'linux')('the process', () => {
  test('that waits has it neither in its environment nor in its memory', async () => {
    await pool.warmed();
    const [pid = 0] = sandboxPids(process.pid);
    expect(statedBy(pid)).toContain('TZ=UTC');
    expect(statedBy(pid)).not.toContain(secret);
    if (mayReadMemory()) expect(memoryHolds(pid, forms(secret, kept))).toBe(false);
  });

  test('that runs a script has the script in its memory, and not the secret', async () => {
    await pool.warmed();
    const known = randomBytes(32).toString('hex');
    const controller = new AbortController();
    const waiting = new Set(sandboxPids(process.pid));
    const running = pool.execute({
      source: `const known = '${known}'; await new Promise(() => {}); known`,
      timeoutMs: 60_000,
      signal: controller.signal,
    });
    const [pid = 0] = waiting;
    if (mayReadMemory()) {
      // That the script is found shows that the search finds what is there.
      await eventually(() => memoryHolds(pid, forms(known, Buffer.from(known))));
      expect(memoryHolds(pid, forms(secret, kept))).toBe(false);
    }
    expect(statedBy(pid)).not.toContain(secret);
    controller.abort();
    expect((await running).error?.code).toBe('INTENTION_ABORTED');
  });
});
