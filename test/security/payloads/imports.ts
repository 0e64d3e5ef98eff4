import { all, type Family } from './payload.ts';

export const imports: Family = {
  title: 'dynamic import',
  payloads: all(
    ['SANDBOX_SCRIPT_ERROR'],
    [
      ['of a module of Node.js', 'import("node:fs")'],
      ['without prefix', 'import("fs")'],
      ['awaited', 'const { execSync } = await import("node:child_process"); execSync("true")'],
      ['of data', 'import("data:text/javascript,export default 1")'],
      ['of a file', 'import("file:///etc/passwd")'],
      ['of an address', 'import("http://127.0.0.1/x.js")'],
      ['of a blob', 'import("blob:nodedata:1")'],
      ['with attributes', 'import("file:///etc/passwd", { with: { type: "json" } })'],
      ['of a proxy', 'import(new Proxy({}, { get: () => () => "fs" }))'],
      ['of what throws', 'import({ toString() { throw new Error("x") } })'],
      ['inside eval', 'eval("import(\\"fs\\")")'],
      ['inside a new function', 'new Function("return import(\\"fs\\")")()'],
      ['inside an async function', '(async () => { await import("fs") })()'],
      ['of the program itself', 'import("file:///sandbox-program/sandbox/child-entry.ts")'],
      ['of the isolate package', 'import("isolated-vm")'],
      ['as a statement', 'import fs from "fs"; fs'],
      ['import.meta', 'import.meta.url'],
    ],
  ),
};
