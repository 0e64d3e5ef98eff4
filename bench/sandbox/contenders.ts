/** One script from nothing to its value, in the ways that are compared. Times are in ms. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { assert } from '../../src/kernel/assert.ts';

/** What every contender computes, and what it must come to. */
export const script = '[1, 2, 3].map((n) => n * 2).join()';
export const scriptValue = '2,4,6';

const run = promisify(execFile);
const quickjsChild = fileURLToPath(new URL('./quickjs-child.ts', import.meta.url));

/** `node -e`, which protects from nothing. */
export async function plainNode(): Promise<number> {
  const startedMs = performance.now();
  const { stdout } = await run(process.execPath, ['-p', script]);
  assert(stdout.trim() === scriptValue, 'node -p computes the value');
  return performance.now() - startedMs;
}

/** QuickJS from the start of its process on. */
export async function coldQuickjs(): Promise<number> {
  const startedMs = performance.now();
  const { execute } = await startQuickjs();
  await execute();
  return performance.now() - startedMs;
}

/** A QuickJS process that has been started, as our warm ones have, and is used once. */
export async function startQuickjs(): Promise<{ execute(): Promise<number> }> {
  const child = spawn(process.execPath, ['--no-warnings', quickjsChild], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const [ready] = await once(lines, 'line');
  assert(ready === 'ready', 'QuickJS is ready');
  return { execute: () => executeIn(child, lines) };
}

async function executeIn(
  child: ChildProcess,
  lines: ReturnType<typeof createInterface>,
): Promise<number> {
  const startedMs = performance.now();
  child.stdin?.write(`${JSON.stringify({ source: script })}\n`);
  const [answer] = (await once(lines, 'line')) as [string];
  const tookMs = performance.now() - startedMs;
  assert(JSON.parse(answer) === scriptValue, 'QuickJS computes the value');
  await once(child, 'exit');
  return tookMs;
}
