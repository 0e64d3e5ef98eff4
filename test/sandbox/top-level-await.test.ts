/**
 * The engine that compiles the candidates here is V8 through node:vm, the same
 * one that the isolate uses; the isolate itself runs in sandbox.test.ts.
 */
import { runInNewContext, Script } from 'node:vm';
import { expect, test } from 'vitest';
import { withTopLevelAwait } from '../../src/sandbox/top-level-await.ts';

const compiles = async (text: string): Promise<boolean> => {
  try {
    new Script(text);
    return true;
  } catch {
    return false;
  }
};

async function completionOf(source: string): Promise<unknown> {
  return await runInNewContext(await withTopLevelAwait(source, compiles));
}

test.each([
  'let await1 = 1; await1',
  'async function f() { return await 1 } f()',
  'const f = async () => { await 0; return 2 }; f()',
  '"await"',
  'const x = ; await 1',
])('leaves a script alone that does not await at the top level: %s', async (source) => {
  expect(await withTopLevelAwait(source, compiles)).toBe(source);
});

test.each([
  ['await 5', 5],
  ['await (async () => 7)()', 7],
  ['const x = await 41; x + 1', 42],
  ['const x = await 41\nx + 1\n', 42],
  ['const x = await 41;\n\n(x\n  + 1);;\n', 42],
  ['const b = await 2;\n[b]\n  .map((x) => x * 2)[0]', 4],
  ['for (const x of [1]) { await x }\n"after"', 'after'],
  ['if (await true) { 1 } 2', 2],
  ['const r = /[;"\'`]/; await 0; r.test(";")', true],
  ['const a = 4 / 2; const b = await a; b / 2', 1],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the string is a script
  ['`a;${await 1};b`', 'a;1;b'],
  ['await 0; "x;y" // note; done', 'x;y'],
  ['await 0; /* a; b */ 9', 9],
  ['const o = { a: await 3 }; o.a', 3],
])('gives the awaited completion value of %j', async (source, value) => {
  expect(await completionOf(source)).toBe(value);
});

test.each([
  'const a = await 1; // note; done',
  'if (await true) { 1 }',
  'await 0; function f() {}',
  'await 0; /* x */ class A {}',
  'await 0\n{ }',
])('gives undefined when the last statement is no expression: %s', async (source) => {
  expect(await completionOf(source)).toBeUndefined();
});
