#!/usr/bin/env node
/**
 * Starts `claw` on a Node.js that can run it. Plain JavaScript that an older
 * Node.js understands: below version 24 it hands over to the Node.js of the
 * `node` package, and only then is there a second process.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const nodeMajorMin = 24;
const environmentStatus = 4;
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

if (Number.parseInt(process.versions.node, 10) >= nodeMajorMin) {
  await startHere();
} else {
  handOver();
}

/** Node.js strips no types below a node_modules folder; a package carries compiled files. */
async function startHere() {
  const installed = packageRoot.split(sep).includes('node_modules');
  const entry = installed ? '../dist/cli/main.js' : '../src/cli/main.ts';
  try {
    const { main } = await import(entry);
    await main();
  } catch (error) {
    const reason = String(error.message).split('\n')[0];
    if (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'ERR_DLOPEN_FAILED') {
      fail('NATIVE_PACKAGE_MISSING', `A package is missing (${reason}); run npm ci again here.`);
      return;
    }
    if (process.argv.includes('--debug')) throw error;
    fail('INTERNAL', `The program does not load (${reason}); run again with --debug.`);
    process.exitCode = 1;
  }
}

function handOver() {
  const binary = bundledNode();
  if (binary === null) {
    fail(
      'NODE_TOO_OLD',
      `Node.js ${process.versions.node} is too old; install version ${nodeMajorMin} or newer, or run npm ci, which brings one.`,
    );
    return;
  }
  const child = spawn(binary, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  // The child takes a signal that it also gets from the terminal as one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal));
  }
  child.once('error', (error) =>
    fail('NODE_TOO_OLD', `${binary} does not start: ${error.message}.`),
  );
  child.once('exit', (status, signal) => {
    process.exitCode = status ?? 128 + (constants.signals[signal] ?? 0);
  });
}

function bundledNode() {
  const require = createRequire(import.meta.url);
  try {
    const folder = dirname(require.resolve('node/package.json'));
    const binary = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(binary) ? binary : null;
  } catch {
    return null;
  }
}

function fail(code, message) {
  process.stderr.write(`claw: ${message} (${code})\n`);
  if (process.argv.includes('--json')) {
    process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
  }
  process.exitCode = environmentStatus;
}
