/**
 * Scripts with `await` at the top level, which the language allows only in
 * modules, and modules have no completion value. Such a script becomes the
 * body of an async function that returns its last expression statement:
 *
 *   const x = await f();  x + 1      →   (async () => {const x = await f();  return (x + 1
 *                                        )})()
 *
 * The engine itself is the parser: candidates are compiled, never executed.
 * A script whose last statement is not an expression has the value undefined.
 */

/** Whether a text compiles as a script. */
export type Compiles = (text: string) => Promise<boolean>;

/** Most places tried as the beginning of the last statement. */
const candidatesMax = 64;

/** What begins a declaration or a block, although it would compile as an expression too. */
const beginsStatement = /^(?:\s|\/\/[^\n]*\n|\/\*.*?\*\/)*(?:\{|class\b|(?:async\s+)?function\b)/s;

/** The script to evaluate instead of `source`; `source` itself unless it awaits at the top level. */
export async function withTopLevelAwait(source: string, compiles: Compiles): Promise<string> {
  if (!/\bawait\b/.test(source)) return source;
  // A static block refuses `await` that belongs to no inner function and allows all other.
  if (await compiles(`class Probe { static {${source}\n} }`)) return source;
  const body = `(async () => {${source}\n})()`;
  if (!(await compiles(body))) return source;
  for (const start of lastStatementStarts(source)) {
    const expression = source.slice(start).replace(/[;\s]+$/, '');
    if (beginsStatement.test(expression)) continue;
    if (!(await compiles(`(async () => (${expression}\n))`))) continue;
    const returning = `(async () => {${source.slice(0, start)}return (${expression}\n)})()`;
    if (await compiles(returning)) return returning;
  }
  return body;
}

/** Places at which the last statement may begin, first one first. */
function lastStatementStarts(source: string): number[] {
  const trimmed = source.replace(/[;\s]+$/, '');
  let starts = [0];
  let depth = 0;
  let expectsOperand = true;
  let match: RegExpExecArray | null;
  const tokens =
    /\/\/[^\n]*|\/\*.*?\*\/|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|\n|[ \t\r]+|[\w$]+|./gs;
  const pattern = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
  for (match = tokens.exec(trimmed); match !== null; match = tokens.exec(trimmed)) {
    let token = match[0];
    if (/^(?:\/\/|\/\*|[ \t\r])/.test(token)) continue;
    if (token === '/' && expectsOperand) {
      pattern.lastIndex = match.index;
      token = pattern.exec(trimmed)?.[0] ?? token;
      tokens.lastIndex = match.index + token.length;
    }
    if (token === '\n') {
      if (depth === 0) starts.push(tokens.lastIndex);
      continue;
    }
    expectsOperand =
      /^[([{};,=:?!&|+\-*%<>~^]$|^(?:return|typeof|await|in|of|case|void|delete)$/.test(token);
    if (/^[([{]$/.test(token)) depth += 1;
    if (/^[)\]}]$/.test(token)) depth -= 1;
    if (depth === 0 && token === '}') starts.push(tokens.lastIndex);
    // Nothing before a semicolon belongs to the last statement.
    if (depth === 0 && token === ';') starts = [tokens.lastIndex];
  }
  return starts.slice(-candidatesMax);
}
