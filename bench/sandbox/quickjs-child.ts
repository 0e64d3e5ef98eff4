/**
 * The peer: one script in QuickJS compiled to WebAssembly, in a process of its
 * own that serves it and ends. It says `ready`, takes one line of JSON, and
 * answers with one.
 */
import { createInterface } from 'node:readline';
import { getQuickJS } from 'quickjs-emscripten';

const quickjs = await getQuickJS();
process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { source } = JSON.parse(line) as { source: string };
  process.stdout.write(`${JSON.stringify(quickjs.evalCode(source))}\n`);
  break;
}
process.exit(0);
